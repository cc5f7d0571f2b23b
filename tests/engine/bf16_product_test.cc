// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/bf16_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/naive.h"

namespace heed {
namespace {

float Widened(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

TEST(Bf16Rows, RoundToNearestHalfToEven) {
  Context context{1};
  Matrix x(1, 20);
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const float values[] = {1, 1 + 1.0f / 256, 1 + 3.0f / 256, 1 + 1.0f / 512, -0.0f, infinity, nan, 3e38f};
  std::copy(std::begin(values), std::end(values), x.row(0));
  x.row(0)[19] = 1 + 1.1f / 256;
  const uint16_t* const row = InBf16(x.view(), context).row(0);
  EXPECT_EQ(Widened(row[0]), 1);
  EXPECT_EQ(Widened(row[1]), 1);               // halfway, to even
  EXPECT_EQ(Widened(row[2]), 1 + 4.0f / 256);  // halfway, to even
  EXPECT_EQ(Widened(row[3]), 1);
  EXPECT_TRUE(std::signbit(Widened(row[4])));
  EXPECT_EQ(Widened(row[5]), infinity);
  EXPECT_TRUE(std::isnan(Widened(row[6])));
  EXPECT_NEAR(Widened(row[7]), 3e38f, 1e36f);
  EXPECT_EQ(Widened(row[19]), 1 + 2.0f / 256);
  for (int64_t k = 20; k < 32; ++k) EXPECT_EQ(row[k], 0);
}

class Bf16Kernel : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (GetParam() > UsedInstructionSet()) {
      GTEST_SKIP() << "this machine has no " << InstructionSetName(GetParam()) << ": its kernel is not tested";
    }
  }
};

TEST_P(Bf16Kernel, AgreesWithTheProductOfTheRoundedNumbersAloneAndMerged) {
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{1, 1}, {17, 3}, {33, 65}, {100, 130}, {256, 64}}) {
    const std::vector<float> values = naive::RandomFloats(out * in, 1);
    const Bf16Panels weights(out, in, values.data());
    std::vector<float> bias = naive::RandomFloats(weights.panels() * kPanelCols, 2);
    Context context{1};
    const Matrix x = naive::RandomMatrix(70, in, 3);
    const Bf16Rows narrow = InBf16(x.view(), context);
    Matrix rounded(70, in);
    for (int64_t m = 0; m < 70; ++m) std::transform(narrow.row(m), narrow.row(m) + in, rounded.row(m), Widened);
    std::vector<float> rounded_weights(values.size());
    for (int64_t n = 0; n < out; ++n) {
      for (int64_t k = 0; k < in; ++k) {
        const uint16_t* const panel = weights.panel(n / kPanelCols);
        rounded_weights[static_cast<size_t>(n * in + k)] =
            Widened(panel[(k / 2 * kPanelCols + n % kPanelCols) * 2 + k % 2]);
      }
    }
    const std::vector<double> expected =
        naive::Linear(rounded.view(), rounded_weights, {bias.begin(), bias.begin() + out});
    Matrix all = naive::RandomMatrix(70, weights.panels() * kPanelCols, 5);
    const Matrix before = naive::RandomMatrix(70, weights.panels() * kPanelCols, 5);
    Bf16Product(weights, narrow, 0, weights.panels(), bias.data(), true, all.view(), GetParam());
    for (int64_t m = 0; m < 70; ++m) {
      for (int64_t n = 0; n < out; ++n) {
        ASSERT_NEAR(all.row(m)[n], expected[static_cast<size_t>(m * out + n)] + before.row(m)[n],
                    naive::SumTolerance(in + 2, 1.0));
      }
    }
    for (int64_t rows = 1; rows <= 70; ++rows) {
      Matrix some = naive::RandomMatrix(70, weights.panels() * kPanelCols, 5);
      Bf16Product(weights, narrow.Rows(70 - rows, rows), 0, weights.panels(), bias.data(), true,
                  some.view().Rows(70 - rows, rows), GetParam());
      for (int64_t m = 70 - rows; m < 70; ++m) {
        ASSERT_EQ(std::memcmp(some.row(m), all.row(m), static_cast<size_t>(all.cols()) * sizeof(float)), 0)
            << out << " x " << in << ", row " << m << " of the last " << rows;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Bf16Kernel, testing::Values(InstructionSet::kAvx512Bf16, InstructionSet::kAmx),
                         [](const auto& parameter) {
                           std::string name(InstructionSetName(parameter.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Bf16Panels, KnowTheirError) {
  const std::vector<float> values = naive::RandomFloats(64 * 64, 1);
  const double error = Bf16Panels(64, 64, values.data()).relative_error();
  EXPECT_GT(error, 0.0005);
  EXPECT_LT(error, 0.0039);  // at most half a unit in the last of 8 bits
}

}  // namespace
}  // namespace heed
