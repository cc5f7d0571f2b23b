// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/linear.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "files/float16.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

// A tensor as a file would hold it, and the values it stands for.
struct OwnedTensor {
  StoredTensor view;
  std::vector<float> values;

  OwnedTensor(std::vector<int64_t> shape, std::vector<float> floats) : values(std::move(floats)) {
    view.dtype = DType::kF32;
    view.shape = std::move(shape);
    view.data = reinterpret_cast<const std::byte*>(values.data());
    view.bytes = values.size() * sizeof(float);
  }
};

struct Case {
  int64_t out, in;
  bool halves;  // weights that f16 holds exactly
  GemmBackend backend;
  Activation activation;
};

std::string LinearName(const testing::TestParamInfo<Case>& parameter) {
  const Case& c = parameter.param;
  const char* activations[] = {"none", "relu", "gelu", "gelu_tanh", "swish"};
  return std::to_string(c.in) + "x" + std::to_string(c.out) + (c.halves ? "_f16_" : "_f32_") +
         std::string(BackendName(c.backend)) + "_" + activations[static_cast<int>(c.activation)];
}

class LinearLayer : public testing::TestWithParam<Case> {
 protected:
  LinearLayer()
      : weight_({GetParam().out, GetParam().in}, GetParam().halves
                                                     ? naive::RandomHalves(GetParam().out * GetParam().in, 1)
                                                     : naive::RandomFloats(GetParam().out * GetParam().in, 1)),
        bias_({GetParam().out}, naive::RandomFloats(GetParam().out, 2)) {
    const Linear::Part part = {&weight_.view, &bias_.view};
    layer_ = Linear({&part, 1}, GetParam().activation, GetParam().backend);
  }

  OwnedTensor weight_, bias_;
  Linear layer_;
  Context context_{2};
};

TEST_P(LinearLayer, AgreesWithTheNaiveProduct) {
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 47, 48, 49, 97}) {
    const Matrix x = naive::RandomMatrix(rows, GetParam().in, static_cast<uint32_t>(rows));
    Matrix y(rows, GetParam().out);
    layer_.Apply(x.view(), y.view(), context_);
    const std::vector<double> expected = naive::Linear(x.view(), weight_.values, bias_.values);
    const double tolerance = naive::SumTolerance(GetParam().in, 1.0);
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < GetParam().out; ++n) {
        ASSERT_NEAR(y.row(m)[n],
                    naive::Activate(GetParam().activation, expected[static_cast<size_t>(m * GetParam().out + n)]),
                    tolerance)
            << "row " << m << " of " << rows << ", output " << n;
      }
    }
  }
}

TEST_P(LinearLayer, ARowsBitsDoNotDependOnTheRowsBesideIt) {
  const Matrix x = naive::RandomMatrix(131, GetParam().in, 9);
  Matrix all(131, GetParam().out);
  layer_.Apply(x.view(), all.view(), context_);
  Context alone_context{1};
  for (int64_t m : {0, 1, 5, 46, 47, 48, 95, 96, 130}) {
    Matrix alone(1, GetParam().out);
    layer_.Apply(x.view().Rows(m, 1), alone.view(), alone_context);
    EXPECT_EQ(std::memcmp(alone.row(0), all.row(m), static_cast<size_t>(GetParam().out) * sizeof(float)), 0) << m;
  }
}

TEST_P(LinearLayer, AddsToWhatIsThere) {
  if (GetParam().activation != Activation::kNone) return;
  const Matrix x = naive::RandomMatrix(50, GetParam().in, 3);
  Matrix product(50, GetParam().out), sum = naive::RandomMatrix(50, GetParam().out, 4);
  const Matrix before = naive::RandomMatrix(50, GetParam().out, 4);
  layer_.Apply(x.view(), product.view(), context_);
  layer_.AddTo(x.view(), sum.view(), context_);
  for (int64_t m = 0; m < 50; ++m) {
    for (int64_t n = 0; n < GetParam().out; ++n) {
      ASSERT_NEAR(sum.row(m)[n], product.row(m)[n] + before.row(m)[n], naive::SumTolerance(GetParam().in, 1.0));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LinearLayer,
                         testing::Values(Case{16, 16, false, GemmBackend::kPacked, Activation::kNone},
                                         Case{1, 1, false, GemmBackend::kPacked, Activation::kNone},
                                         Case{17, 3, true, GemmBackend::kPacked, Activation::kRelu},
                                         Case{100, 33, true, GemmBackend::kPacked, Activation::kNone},
                                         Case{257, 129, false, GemmBackend::kPacked, Activation::kSwish},
                                         Case{520, 64, true, GemmBackend::kPacked, Activation::kGelu},
                                         Case{16, 16, false, GemmBackend::kTiled, Activation::kNone},
                                         Case{1, 1, false, GemmBackend::kTiled, Activation::kNone},
                                         Case{100, 33, true, GemmBackend::kTiled, Activation::kNone},
                                         Case{257, 129, false, GemmBackend::kTiled, Activation::kSwish},
                                         Case{520, 64, true, GemmBackend::kTiled, Activation::kGelu},
                                         Case{520, 64, true, GemmBackend::kPacked, Activation::kGeluTanh},
                                         Case{520, 64, true, GemmBackend::kTiled, Activation::kGeluTanh},
                                         Case{513, 40, false, GemmBackend::kTiled, Activation::kRelu}),
                         LinearName);

TEST(Linear, StoresHalvesInHalfTheSpaceOnlyWhereThatLosesNothing) {
  const OwnedTensor halves({64, 64}, naive::RandomHalves(64 * 64, 5));
  std::vector<float> values = halves.values;
  values[77] += 1e-5f;
  const OwnedTensor floats({64, 64}, values);
  const Linear::Part exact = {&halves.view, nullptr}, inexact = {&floats.view, nullptr};
  const Linear small({&exact, 1}, Activation::kNone, GemmBackend::kPacked);
  const Linear large({&inexact, 1}, Activation::kNone, GemmBackend::kPacked);
  EXPECT_EQ(large.resident_bytes() - small.resident_bytes(), 64 * 64 * 2);
}

TEST(Linear, PartsComeSideBySide) {
  const OwnedTensor first({8, 5}, naive::RandomFloats(40, 1)), second({8, 5}, naive::RandomFloats(40, 2));
  const OwnedTensor bias({8}, naive::RandomFloats(8, 3));
  const Linear::Part parts[] = {{&first.view, &bias.view}, {&second.view, nullptr}};
  const Linear both(parts, Activation::kNone, GemmBackend::kPacked);
  const Linear only({&parts[1], 1}, Activation::kNone, GemmBackend::kPacked);
  Context context{1};
  const Matrix x = naive::RandomMatrix(2, 5, 6);
  Matrix y(2, 16), y2(2, 16);
  both.Apply(x.view(), y.view(), context);
  only.Apply(x.view(), y2.view(), context);
  for (int64_t n = 0; n < 8; ++n) EXPECT_EQ(y.row(1)[8 + n], y2.row(1)[n]);
}

// oneDNN's own scratchpad belongs to the thread that made a primitive: ours are made by one and executed by all.
TEST(Linear, OneLayerServesManyThreadsAtOnce) {
  for (GemmBackend backend : {GemmBackend::kPacked, GemmBackend::kTiled}) {
    const OwnedTensor weight({40, 24}, naive::RandomFloats(40 * 24, 5));
    const Linear::Part part = {&weight.view, nullptr};
    const Linear layer({&part, 1}, Activation::kNone, backend);
    const Matrix x = naive::RandomMatrix(30, 24, 1);
    Matrix expected(30, 40);
    Context context{1};
    layer.Apply(x.view(), expected.view(), context);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        Context own{1};
        for (int round = 0; round < 300; ++round) {
          Matrix y(30, 40);
          layer.Apply(x.view(), y.view(), own);
          for (int64_t m = 0; m < 30; ++m) wrong += std::memcmp(y.row(m), expected.row(m), 40 * sizeof(float)) != 0;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0) << BackendName(backend);
  }
}

TEST(PrimitiveCache, StaysSmallWhateverTheRows) {
  const OwnedTensor weight({24, 24}, naive::RandomFloats(24 * 24, 5));
  const Linear::Part part = {&weight.view, nullptr};
  const Linear layer({&part, 1}, Activation::kNone, GemmBackend::kTiled);
  Context context{1};
  const auto run = [&](int64_t rows) {
    const Matrix x = naive::RandomMatrix(rows, 24, 1);
    Matrix y(rows, 24);
    layer.Apply(x.view(), y.view(), context);
  };
  run(1);
  const int64_t size = PrimitiveCacheSize();
  EXPECT_GE(size, 1);
  for (int64_t rows = 2; rows < 120; ++rows) run(rows);
  EXPECT_EQ(PrimitiveCacheSize(), size);
}

}  // namespace
}  // namespace heed
