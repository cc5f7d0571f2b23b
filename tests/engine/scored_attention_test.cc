// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/scored_attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/naive.h"

namespace heed {
namespace {

const int64_t kSizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};

TEST(ScoredAttention, AgreesWithAPlainLoop) {
  for (const bool additive : {false, true}) {
    for (const int64_t size : kSizes) {
      const int64_t keys = size % 21 + 1, values = size + 3;
      const std::vector<float> query = naive::RandomFloats(size, 1), energy = naive::RandomFloats(size, 2);
      const Matrix key_rows = naive::RandomMatrix(keys, size, 3), value_rows = naive::RandomMatrix(keys, values, 4);
      std::vector<const float*> key_pointers, value_pointers;
      std::vector<double> scores;
      for (int64_t t = 0; t < keys; ++t) {
        key_pointers.push_back(key_rows.row(t));
        value_pointers.push_back(value_rows.row(t));
        double score = 0;
        for (int64_t i = 0; i < size; ++i) {
          const double q = query[static_cast<size_t>(i)], k = key_rows.row(t)[i];
          score += additive ? energy[static_cast<size_t>(i)] * std::tanh(q + k) : q * k;
        }
        scores.push_back(score);
      }
      std::vector<float> weights(static_cast<size_t>(ScoredWeights(keys))), context(static_cast<size_t>(values));
      ScoredQuery attention;
      attention.query = query.data();
      attention.energy = additive ? energy.data() : nullptr;
      attention.key_width = size;
      attention.value_width = values;
      attention.keys = keys;
      attention.key_rows = key_pointers.data();
      attention.value_rows = value_pointers.data();
      attention.weights = weights.data();
      attention.context = context.data();
      AttendByScore(attention);
      const std::vector<double> expected = naive::Softmax(scores);
      const double tolerance = naive::SumTolerance(size, 1) + 1e-6;
      for (int64_t i = 0; i < values; ++i) {
        double sum = 0;
        for (int64_t t = 0; t < keys; ++t) sum += expected[static_cast<size_t>(t)] * value_rows.row(t)[i];
        EXPECT_NEAR(context[static_cast<size_t>(i)], sum, 2 * tolerance) << size;
      }
      for (int64_t t = 0; t < keys; ++t) {
        EXPECT_NEAR(weights[static_cast<size_t>(t)], expected[static_cast<size_t>(t)], tolerance) << size;
      }
    }
  }
}

}  // namespace
}  // namespace heed
