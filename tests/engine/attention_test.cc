// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/naive.h"

namespace heed {
namespace {

const int64_t kSizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};

TEST(Attention, AgreesWithAPlainLoop) {
  for (int64_t head_dim : {1, 4, 5, 8, 24, 32, 40, 64}) {
    for (int64_t keys : {1, 2, 7, 8, 9, 50, 65}) {
      const int64_t heads = 3, width = heads * head_dim;
      const std::vector<float> query = naive::RandomFloats(width, 1);
      const std::vector<float> key = naive::RandomFloats(keys * width, 2), value = naive::RandomFloats(keys * width, 3);
      std::vector<const float*> key_rows, value_rows;
      for (int64_t t = 0; t < keys; ++t) {
        key_rows.push_back(key.data() + t * width);
        value_rows.push_back(value.data() + t * width);
      }
      std::vector<float> scratch(static_cast<size_t>(AttentionScratch(keys)));
      std::vector<float> context(static_cast<size_t>(width)), mean(static_cast<size_t>(keys));
      AttentionQuery attention;
      attention.query = query.data();
      attention.heads = heads;
      attention.head_dim = head_dim;
      attention.keys = keys;
      attention.key_rows = key_rows.data();
      attention.value_rows = value_rows.data();
      attention.scratch = scratch.data();
      attention.context = context.data();
      attention.mean_weights = mean.data();
      Attend(attention);

      std::vector<double> expected_mean(static_cast<size_t>(keys));
      for (int64_t h = 0; h < heads; ++h) {
        std::vector<double> scores;
        for (int64_t t = 0; t < keys; ++t) {
          double score = 0;
          for (int64_t i = 0; i < head_dim; ++i) {
            score += static_cast<double>(query[static_cast<size_t>(h * head_dim + i)]) *
                     key_rows[static_cast<size_t>(t)][h * head_dim + i];
          }
          scores.push_back(score / std::sqrt(static_cast<double>(head_dim)));
        }
        const std::vector<double> weights = naive::Softmax(scores);
        for (size_t t = 0; t < weights.size(); ++t) expected_mean[t] += weights[t] / heads;
        for (int64_t i = 0; i < head_dim; ++i) {
          double sum = 0;
          for (size_t t = 0; t < weights.size(); ++t) sum += weights[t] * value_rows[t][h * head_dim + i];
          EXPECT_NEAR(context[static_cast<size_t>(h * head_dim + i)], sum, 3e-6);
        }
      }
      for (size_t t = 0; t < mean.size(); ++t) EXPECT_NEAR(mean[t], expected_mean[t], 1e-6);
    }
  }
}

TEST(Attention, OfOtherScoresAgrees) {
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
      std::vector<float> weights(static_cast<size_t>(AttentionScratch(keys))), context(static_cast<size_t>(values));
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
