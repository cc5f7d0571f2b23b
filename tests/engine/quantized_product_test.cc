// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/quantized_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/linear/quantized_kernels.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

struct Shape {
  int64_t out, in;
};
constexpr Shape kShapes[] = {{1, 1}, {16, 64}, {17, 3}, {33, 65}, {100, 130}, {256, 64}, {48, 2048}};

class QuantizedKernel : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (GetParam() > UsedInstructionSet()) {
      GTEST_SKIP() << "this machine has no " << InstructionSetName(GetParam()) << ": its kernel is not tested";
    }
  }
};

// x, quantized by `arena`'s scratch.
QuantizedRows Quantize(const Matrix& x, Arena& arena) {
  const QuantizedRows rows = TakeQuantizedRows(arena, x.rows(), x.cols());
  QuantizeRows(x.view(), 0, x.rows(), rows);
  return rows;
}

Matrix Product(const QuantizedPanels& weights, const QuantizedRows& x, const std::vector<float>& bias, bool accumulate,
               InstructionSet set) {
  Matrix y = accumulate ? naive::RandomMatrix(x.rows, weights.panels() * kPanelCols, 5)
                        : Matrix(x.rows, weights.panels() * kPanelCols);
  QuantizedProduct(weights, x, 0, weights.panels(), bias.data(), accumulate, y.view(), set);
  return y;
}

TEST_P(QuantizedKernel, GivesTheBitsOfTheDefinitionForAllRowsAndTails) {
  for (const Shape& shape : kShapes) {
    const std::vector<float> values = naive::RandomFloats(shape.out * shape.in, 1);
    const QuantizedPanels weights(shape.out, shape.in, values.data());
    std::vector<float> bias = naive::RandomFloats(weights.panels() * kPanelCols, 2);
    Arena arena;
    const Matrix x = naive::RandomMatrix(70, shape.in, 3);
    const QuantizedRows quantized = Quantize(x, arena);
    for (const bool accumulate : {false, true}) {
      const Matrix expected = Product(weights, quantized, bias, accumulate, InstructionSet::kPortable);
      for (int64_t rows = 1; rows <= 70; ++rows) {
        const Matrix got = Product(weights, quantized.Rows(0, rows), bias, accumulate, GetParam());
        for (int64_t m = 0; m < rows; ++m) {
          ASSERT_EQ(std::memcmp(got.row(m), expected.row(m), static_cast<size_t>(got.cols()) * sizeof(float)), 0)
              << shape.out << " x " << shape.in << ", row " << m << " of " << rows << ", accumulate " << accumulate;
        }
      }
    }
  }
}

TEST_P(QuantizedKernel, GivesTheSameForPanelsInParts) {
  const QuantizedPanels weights(200, 96, naive::RandomFloats(200 * 96, 1).data());
  const std::vector<float> bias = naive::RandomFloats(weights.panels() * kPanelCols, 2);
  Arena arena;
  const Matrix x = naive::RandomMatrix(37, 96, 3);
  const QuantizedRows quantized = Quantize(x, arena);
  const Matrix whole = Product(weights, quantized, bias, false, GetParam());
  Matrix parts(37, weights.panels() * kPanelCols);
  for (int64_t first = 0; first < weights.panels(); first += 3) {
    const int64_t last = std::min(first + 3, weights.panels());
    QuantizedProduct(weights, quantized, first, last, bias.data() + first * kPanelCols, false,
                     parts.view().Cols(first * kPanelCols, (last - first) * kPanelCols), GetParam());
  }
  for (int64_t m = 0; m < 37; ++m) {
    ASSERT_EQ(std::memcmp(parts.row(m), whole.row(m), static_cast<size_t>(whole.cols()) * sizeof(float)), 0);
  }
}

// The largest sums that there can be: nothing saturates.
TEST_P(QuantizedKernel, SumsAreExactAtTheEndsOfTheRange) {
  const std::vector<float> values(static_cast<size_t>(16 * 4096), -1.0f);
  const QuantizedPanels weights(16, 4096, values.data());
  const std::vector<float> bias(16);
  Arena arena;
  Matrix x(3, 4096);
  for (int64_t k = 0; k < 4096; ++k) {
    x.row(0)[k] = 1;
    x.row(1)[k] = -1;
    x.row(2)[k] = k % 2 == 0 ? 1 : -1;
  }
  const Matrix y = Product(weights, Quantize(x, arena), bias, false, GetParam());
  EXPECT_NEAR(y.row(0)[0], -4096, 1e-2);
  EXPECT_NEAR(y.row(1)[15], 4096, 1e-2);
  EXPECT_EQ(y.row(2)[7], 0);
}

INSTANTIATE_TEST_SUITE_P(Sets, QuantizedKernel,
                         testing::Values(InstructionSet::kAvx2, InstructionSet::kAvx512, InstructionSet::kAvx512Vnni,
                                         InstructionSet::kAmx),
                         [](const auto& parameter) {
                           std::string name(InstructionSetName(parameter.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(QuantizedRows, EachIsWithinHalfAStep) {
  Arena arena;
  const Matrix x = naive::RandomMatrix(5, 75, 1);
  const QuantizedRows rows = Quantize(x, arena);
  for (int64_t m = 0; m < 5; ++m) {
    float largest = 0;
    for (int64_t k = 0; k < 75; ++k) {
      largest = std::max(largest, std::abs(x.row(m)[k]));
      EXPECT_NEAR(rows.scales[m] * static_cast<float>(rows.row(m)[k] - 128), x.row(m)[k], 0.5001f * rows.scales[m]);
    }
    EXPECT_EQ(rows.scales[m], largest / 127.0f);
    for (int64_t k = 75; k < rows.depth; ++k) EXPECT_EQ(rows.row(m)[k], 128);
  }
}

TEST(QuantizedRows, WhatIsNotFiniteHasNoAnswerAndNothingIsNothing) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const int64_t at : {0, 20, 39}) {
    Arena arena;
    Matrix x = naive::RandomMatrix(4, 40, 1);
    x.row(0)[at] = nan;
    x.row(1)[at] = -infinity;
    std::fill_n(x.row(2), 40, 0.0f);
    std::fill_n(x.row(3), 40, 1e-42f);
    const QuantizedRows rows = Quantize(x, arena);
    EXPECT_TRUE(std::isnan(rows.scales[0]));
    EXPECT_TRUE(std::isnan(rows.scales[1]));
    EXPECT_EQ(rows.scales[2], 0);
    EXPECT_EQ(rows.scales[3], 0);
    EXPECT_EQ(rows.row(3)[7], 128);
  }
}

TEST(QuantizedPanels, KnowTheirError) {
  const float exact[] = {127, -3, 0, 64};
  EXPECT_LT(QuantizedPanels(2, 2, exact).relative_error(), 1e-7);  // 64 alone is its own scale's 127
  const std::vector<float> values = naive::RandomFloats(64 * 64, 1);
  const double error = QuantizedPanels(64, 64, values.data()).relative_error();
  EXPECT_GT(error, 0.001);
  EXPECT_LT(error, 0.006);  // a step is 1/127 of the largest, an error uniform in half a step: 0.0039
  const std::vector<float> zeros(64);
  EXPECT_EQ(QuantizedPanels(8, 8, zeros.data()).relative_error(), 0.0);
}

}  // namespace
}  // namespace heed
