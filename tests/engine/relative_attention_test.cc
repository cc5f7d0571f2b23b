// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/relative_attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/support/naive.h"

namespace heed {
namespace {

struct RelativeCase {
  int64_t heads, head_dim, keys;
  bool segments;
};

class RelativeAttention : public testing::TestWithParam<RelativeCase> {
 protected:
  RelativeAttention() {
    const auto& [heads, head_dim, keys, segments] = GetParam();
    query_.content = content_.data();
    query_.position = position_.data();
    if (segments) query_.segments = segments_.data();
    query_.heads = heads;
    query_.head_dim = head_dim;
    query_.keys = keys;
    for (int64_t t = 0; t < keys; ++t) {
      key_rows_.push_back(key_.data() + t * width_);
      value_rows_.push_back(value_.data() + t * width_);
      position_rows_.push_back(distances_.data() + (keys - t) * width_);
      others_.push_back(t % 3 == 1);
    }
    query_.key_rows = key_rows_.data();
    query_.value_rows = value_rows_.data();
    query_.position_rows = position_rows_.data();
    query_.other_segment = others_.data();
    query_.scratch = scratch_.data();
    query_.context = context_.data();
    query_.mean_weights = mean_.data();
  }

  std::vector<double> NaiveWeights(size_t head) const {
    const size_t dim = static_cast<size_t>(GetParam().head_dim);
    std::vector<double> scores;
    for (size_t t = 0; t < key_rows_.size(); ++t) {
      double score = GetParam().segments ? segments_[2 * head + others_[t]] : 0.0f;
      for (size_t i = head * dim; i < (head + 1) * dim; ++i) {
        score += static_cast<double>(content_[i]) * key_rows_[t][i];
        score += static_cast<double>(position_[i]) * position_rows_[t][i];
      }
      scores.push_back(score / std::sqrt(static_cast<double>(dim)));
    }
    return naive::Softmax(scores);
  }

  const int64_t width_ = GetParam().heads * GetParam().head_dim;
  const std::vector<float> content_ = naive::RandomFloats(width_, 1), position_ = naive::RandomFloats(width_, 2);
  const std::vector<float> segments_ = naive::RandomFloats(2 * GetParam().heads, 3);
  const std::vector<float> key_ = naive::RandomFloats(GetParam().keys * width_, 4);
  const std::vector<float> value_ = naive::RandomFloats(GetParam().keys * width_, 5);
  const std::vector<float> distances_ = naive::RandomFloats((GetParam().keys + 1) * width_, 6);
  std::vector<const float*> key_rows_, value_rows_, position_rows_;
  std::vector<uint8_t> others_;
  std::vector<float> scratch_ = std::vector<float>(static_cast<size_t>(RelativeScratch(GetParam().keys)));
  std::vector<float> context_ = std::vector<float>(static_cast<size_t>(width_));
  std::vector<float> mean_ = std::vector<float>(static_cast<size_t>(GetParam().keys));
  RelativeQuery query_;
};

TEST_P(RelativeAttention, AgreesWithTheEquations) {
  AttendRelative(&query_, 1);
  const size_t dim = static_cast<size_t>(GetParam().head_dim), heads = static_cast<size_t>(GetParam().heads);
  std::vector<double> mean(mean_.size());
  for (size_t h = 0; h < heads; ++h) {
    const std::vector<double> weights = NaiveWeights(h);
    for (size_t t = 0; t < mean.size(); ++t) mean[t] += weights[t] / static_cast<double>(heads);
    for (size_t i = h * dim; i < (h + 1) * dim; ++i) {
      double sum = 0;
      for (size_t t = 0; t < weights.size(); ++t) sum += weights[t] * value_rows_[t][i];
      EXPECT_NEAR(context_[i], sum, 5e-6);
    }
  }
  for (size_t t = 0; t < mean.size(); ++t) EXPECT_NEAR(mean_[t], mean[t], 2e-6);
}

// A key that stands elsewhere among the keys gets the same score, to the bit.
TEST_P(RelativeAttention, AScoreDoesNotDependOnTheKeysBesideIt) {
  AttendRelative(&query_, 1);
  const float first = mean_[0], context = context_[0];
  AttendRelative(&query_, 1);
  EXPECT_EQ(mean_[0], first);
  EXPECT_EQ(context_[0], context);
  query_.keys = 1;
  AttendRelative(&query_, 1);
  EXPECT_FLOAT_EQ(mean_[0], 1);
  for (int64_t i = 0; i < width_; ++i) EXPECT_EQ(context_[static_cast<size_t>(i)], value_rows_[0][i]);
}

// Queries that see the same keys, or only some of them, together.
TEST_P(RelativeAttention, TheSameAloneAndTogether) {
  AttendRelative(&query_, 1);
  const std::vector<float> context = context_, mean = mean_;
  std::vector<RelativeQuery> queries(3, query_);
  std::vector<std::vector<float>> contexts(3, context_), means(3, mean_), scratches(3, scratch_);
  for (size_t q = 0; q < queries.size(); ++q) {
    queries[q].context = contexts[q].data();
    queries[q].mean_weights = means[q].data();
    queries[q].scratch = scratches[q].data();
  }
  queries[0].keys = (query_.keys + 1) / 2;
  AttendRelative(queries.data(), 3);
  for (const size_t q : {1u, 2u}) {
    EXPECT_EQ(contexts[q], context);
    EXPECT_EQ(means[q], mean);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RelativeAttention,
                         testing::Values(RelativeCase{1, 1, 1, true}, RelativeCase{2, 3, 5, true},
                                         RelativeCase{3, 8, 4, false}, RelativeCase{2, 16, 17, true},
                                         RelativeCase{1, 33, 31, false}, RelativeCase{12, 64, 100, true},
                                         RelativeCase{4, 80, 257, false}, RelativeCase{2, 20, 700, true}));

}  // namespace
}  // namespace heed
