// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "files/float16.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const int64_t kSizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};

TEST(Kernels, ActivationsAgree) {
  for (Activation activation : {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kGeluTanh,
                                Activation::kSwish, Activation::kElu, Activation::kTanh, Activation::kSigmoid}) {
    for (int64_t size : kSizes) {
      std::vector<float> x = naive::RandomFloats(size, 1);
      for (float& value : x) value *= 20;
      std::vector<float> y = x;
      Activate(activation, y.data(), size);
      for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], naive::Activate(activation, x[i]), 20 * 4e-7) << x[i];
    }
  }
}

TEST(Kernels, SigmoidAndSwishAreRightFarFromZero) {
  for (const float size : {80.f, 88.f, 100.f, 150.f, 178.f, 179.f, 200.f, 400.f, 1e3f, 1e30f, kInfinity}) {
    for (const float sign : {-1.0f, 1.0f}) {
      std::vector<float> x = {sign * size, 0.5f};
      Activate(Activation::kSigmoid, x.data(), 2);
      EXPECT_NEAR(x[0], sign < 0 ? 0 : 1, 1e-30) << sign * size;
      if (size > 1e3f) continue;
      x = {sign * size, 0.5f};
      Activate(Activation::kSwish, x.data(), 2);
      EXPECT_NEAR(x[0], sign < 0 ? 0 : size, 1e-30) << sign * size;
    }
  }
  std::vector<float> gates = {-200, -200, 3, -200}, hidden = {1}, cell = {7};
  LstmCell(gates.data(), nullptr, 1, hidden.data(), cell.data());
  EXPECT_NEAR(cell[0], 0, 1e-30);
  EXPECT_NEAR(hidden[0], 0, 1e-30);
}

TEST(Kernels, GeluIsAccurateEverywhere) {
  std::vector<float> x;
  for (int i = -120'000; i <= 120'000; ++i) x.push_back(static_cast<float>(i) * 1e-4f);
  std::vector<float> y = x;
  Activate(Activation::kGelu, y.data(), static_cast<int64_t>(y.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = naive::Activate(Activation::kGelu, x[i]);
    ASSERT_NEAR(y[i], expected, 3e-7 * std::max(1.0, std::abs(static_cast<double>(x[i])))) << x[i];
  }
}

TEST(Kernels, WhatIsNotANumberStaysSo) {
  for (const Activation activation : {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kSwish,
                                      Activation::kElu, Activation::kTanh, Activation::kSigmoid}) {
    std::vector<float> x(20, 1.0f);
    x[3] = x[19] = std::nanf("");
    Activate(activation, x.data(), 20);
    EXPECT_TRUE(std::isnan(x[3]) && std::isnan(x[19])) << static_cast<int>(activation);
    EXPECT_FALSE(std::isnan(x[4])) << static_cast<int>(activation);
  }
}

TEST(Kernels, LstmCellAgrees) {
  for (int64_t size : kSizes) {
    const std::vector<float> gates = naive::RandomFloats(4 * size, 1), before = naive::RandomFloats(size, 2);
    std::vector<float> hidden(before.size()), cell = before;
    LstmCell(gates.data(), nullptr, size, hidden.data(), cell.data());
    for (size_t i = 0; i < cell.size(); ++i) {
      const auto gate = [&](size_t which, Activation activation) {
        return naive::Activate(activation, gates[which * cell.size() + i]);
      };
      const double next =
          gate(1, Activation::kSigmoid) * before[i] + gate(0, Activation::kSigmoid) * gate(2, Activation::kTanh);
      EXPECT_NEAR(cell[i], next, 1e-6) << size;
      EXPECT_NEAR(hidden[i], gate(3, Activation::kSigmoid) * std::tanh(next), 1e-6) << size;
    }
  }
}

TEST(Kernels, LstmCellAddsBothShares) {
  for (int64_t size : kSizes) {
    const std::vector<float> input = naive::RandomFloats(4 * size, 1), recurrent = naive::RandomFloats(4 * size, 2);
    std::vector<float> sum = input, hidden(static_cast<size_t>(size)), cell = naive::RandomFloats(size, 3);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += recurrent[i];
    std::vector<float> hidden_of_sum = hidden, cell_of_sum = cell;
    LstmCell(input.data(), recurrent.data(), size, hidden.data(), cell.data());
    LstmCell(sum.data(), nullptr, size, hidden_of_sum.data(), cell_of_sum.data());
    EXPECT_EQ(hidden, hidden_of_sum) << size;
    EXPECT_EQ(cell, cell_of_sum) << size;
  }
}

TEST(Kernels, GruCellAgrees) {
  for (int64_t size : kSizes) {
    const std::vector<float> input = naive::RandomFloats(3 * size, 1), recurrent = naive::RandomFloats(3 * size, 2);
    const std::vector<float> before = naive::RandomFloats(size, 3);
    std::vector<float> hidden = before;
    GruCell(input.data(), recurrent.data(), size, hidden.data());
    for (size_t i = 0; i < hidden.size(); ++i) {
      const auto at = [&](size_t which) { return which * hidden.size() + i; };
      const double reset = naive::Activate(Activation::kSigmoid, double{input[at(0)]} + recurrent[at(0)]);
      const double update = naive::Activate(Activation::kSigmoid, double{input[at(1)]} + recurrent[at(1)]);
      const double candidate = std::tanh(input[at(2)] + reset * recurrent[at(2)]);
      EXPECT_NEAR(hidden[i], (1 - update) * candidate + update * before[i], 1e-6) << size;
    }
  }
}

TEST(Kernels, LayerNormAgrees) {
  for (int64_t size : kSizes) {
    const std::vector<float> x = naive::RandomFloats(size, 1), scale = naive::RandomFloats(size, 2),
                             shift = naive::RandomFloats(size, 3);
    std::vector<float> y = x;
    LayerNorm(y.data(), size, scale.data(), shift.data(), 1e-5f);
    const std::vector<double> expected = naive::LayerNorm(x, scale, shift, 1e-5);
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-5) << size;
  }
}

TEST(Kernels, ScaleAndAddAgrees) {
  for (int64_t size : kSizes) {
    const std::vector<float> from = naive::RandomFloats(size, 1), add = naive::RandomFloats(size, 2);
    std::vector<float> to(from.size());
    ScaleAndAdd(from.data(), 22.5f, add.data(), to.data(), size);
    for (size_t i = 0; i < to.size(); ++i) EXPECT_NEAR(to[i], 22.5 * from[i] + add[i], 3e-6);
  }
}

TEST(Float16, RoundTripsEveryPatternAndRoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = F32FromF16(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(F16FromF32(value), bits) << bits;
  }
  EXPECT_EQ(F16FromF32(1.0f + 0x1p-11f), 0x3C00);      // half-way: to even
  EXPECT_EQ(F16FromF32(1.0f + 3 * 0x1p-11f), 0x3C02);  // half-way: to even
  EXPECT_EQ(F16FromF32(65520.0f), 0x7C00);             // beyond the largest: infinity
  EXPECT_EQ(F16FromF32(0x1p-25f), 0);                  // half of the smallest: to even
  EXPECT_EQ(F16FromF32(0x1.8p-25f), 1);
  EXPECT_TRUE(std::isnan(F32FromF16(F16FromF32(std::nanf("")))));
  EXPECT_FALSE(IsExactInF16(0.1f));
  EXPECT_TRUE(IsExactInF16(0.125f));
}

}  // namespace
}  // namespace heed
