// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/block_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/core/matrix.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

// Keys, values and queries of one head, and what a plain loop in double computes with them.
class BlockAttentionTest : public testing::Test {
 protected:
  void Make(int64_t head_dim, int64_t rows, int64_t blocks, int64_t constant_blocks, bool with_constant) {
    dim_ = head_dim;
    rows_ = rows;
    blocks_ = blocks;
    constant_blocks_ = constant_blocks;
    keys_ = Floats(blocks * kBlockKeys, dim_, 1);
    values_ = Floats(blocks * kBlockKeys, dim_, 2);
    queries_ = Floats(rows, dim_, 3);
    positions_ = Floats(rows, blocks * kBlockKeys + 3 * kBlockKeys, 4);
    const Matrix constant = Floats(2, dim_, 5);
    for (int64_t t = 0; t < constant_blocks * kBlockKeys; ++t) {
      for (int64_t i = 0; i < dim_; ++i) {
        keys_.row(t)[i] = with_constant ? constant.row(0)[i] : 0;
        values_.row(t)[i] = with_constant ? constant.row(1)[i] : 0;
      }
    }
    constant_value_.assign(constant.row(1), constant.row(1) + dim_);
    constant_scores_.clear();
    for (int64_t m = 0; m < rows; ++m) {
      float dot = 0;
      for (int64_t i = 0; i < dim_; ++i) dot += queries_.row(m)[i] * constant.row(0)[i];
      constant_scores_.push_back(dot);
    }
    with_constant_ = with_constant;
    panels_.clear();
    for (int64_t b = 0; b < blocks; ++b) {
      Matrix& panel = panels_.emplace_back(dim_ + kBlockKeys, std::max(BlockValueStride(dim_), kBlockKeys));
      float* key = panel.row(0);
      float* value = key + dim_ * kBlockKeys;
      for (int64_t t = 0; t < kBlockKeys; ++t) {
        for (int64_t i = 0; i < dim_; ++i) {
          key[i * kBlockKeys + t] = keys_.row(b * kBlockKeys + t)[i];
          value[t * BlockValueStride(dim_) + i] = values_.row(b * kBlockKeys + t)[i];
        }
      }
    }
    // Every row sees another stretch; the first keys share the first position.
    seen_.clear();
    for (int64_t m = 0; m < rows; ++m) {
      const int64_t last = blocks * kBlockKeys - (rows - 1 - m) % (kBlockKeys - 1);
      float* position = positions_.row(m) + kBlockKeys;
      std::fill(positions_.row(m), position, position[0]);
      seen_.push_back({m % kBlockKeys, last, position, m % 3 == 0 ? 0 : kBlockKeys + m});
    }
  }

  // Rows [first, first + count) of the queries.
  Matrix Run(int64_t first, int64_t count, Matrix* weights = nullptr) {
    std::vector<const float*> keys, values;
    for (const Matrix& panel : panels_) {
      keys.push_back(panel.row(0));
      values.push_back(panel.row(0) + dim_ * kBlockKeys);
    }
    Matrix scores(count, blocks_ * kBlockKeys), context(count, BlockValueStride(dim_));
    std::vector<float> factors(static_cast<size_t>(count));
    BlockAttention a;
    a.head_dim = dim_;
    a.rows = count;
    a.queries = queries_.row(first);
    a.query_stride = queries_.view().stride;
    a.seen = seen_.data() + first;
    a.blocks = blocks_;
    a.constant_blocks = constant_blocks_;
    if (with_constant_) {
      a.constant_scores = constant_scores_.data() + first;
      a.constant_value = constant_value_.data();
    }
    a.keys = keys.data();
    a.values = values.data();
    a.weights = scores.row(0);
    a.weights_stride = scores.view().stride;
    a.factors = factors.data();
    a.context = context.row(0);
    a.context_stride = context.view().stride;
    AttendBlocks(a);
    if (weights != nullptr) {
      for (int64_t m = 0; m < count; ++m) {
        for (int64_t t = 0; t < scores.cols(); ++t) scores.row(m)[t] *= factors[static_cast<size_t>(m)];
      }
      *weights = std::move(scores);
    }
    return context;
  }

  std::vector<double> NaiveWeights(int64_t m) const {
    const BlockQuery& seen = seen_[static_cast<size_t>(m)];
    std::vector<double> weights(static_cast<size_t>(blocks_ * kBlockKeys));
    double sum = 0;
    for (int64_t t = seen.first; t < seen.last; ++t) {
      double score = seen.positions[std::max<int64_t>(0, t - seen.near)];
      for (int64_t i = 0; i < dim_; ++i) score += static_cast<double>(queries_.row(m)[i]) * keys_.row(t)[i];
      sum += weights[static_cast<size_t>(t)] = std::exp(score);
    }
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  int64_t dim_ = 0, rows_ = 0, blocks_ = 0, constant_blocks_ = 0;
  bool with_constant_ = false;
  Matrix keys_, values_, queries_, positions_;
  std::vector<float> constant_value_, constant_scores_;
  std::vector<Matrix> panels_;
  std::vector<BlockQuery> seen_;

 private:
  static Matrix Floats(int64_t rows, int64_t cols, uint32_t seed) {
    const std::vector<float> values = naive::RandomFloats(rows * cols, seed);
    Matrix matrix(rows, cols);
    for (int64_t i = 0; i < rows; ++i) std::copy_n(values.begin() + i * cols, cols, matrix.row(i));
    return matrix;
  }
};

TEST_F(BlockAttentionTest, AgreesWithAPlainLoop) {
  for (const int64_t dim : {1, 5, 8, 16, 20, 41, 64, 100}) {
    for (const int64_t rows : {1, 2, 5, 6, 7, 13, 24}) {
      for (const auto& [blocks, constant] : std::vector<std::pair<int64_t, int64_t>>{{3, 0}, {4, 1}, {13, 5}, {2, 2}}) {
        Make(dim, rows, blocks, constant, rows % 2 == 0);
        Matrix weights;
        const Matrix context = Run(0, rows, &weights);
        for (int64_t m = 0; m < rows; ++m) {
          const std::vector<double> expected = NaiveWeights(m);
          std::vector<double> sums(static_cast<size_t>(dim));
          for (int64_t t = 0; t < blocks * kBlockKeys; ++t) {
            ASSERT_NEAR(weights.row(m)[t], expected[static_cast<size_t>(t)], 1e-5) << dim << " " << rows << " " << t;
            for (int64_t i = 0; i < dim; ++i) {
              sums[static_cast<size_t>(i)] += expected[static_cast<size_t>(t)] * values_.row(t)[i];
            }
          }
          for (int64_t i = 0; i < dim; ++i) {
            ASSERT_NEAR(context.row(m)[i], sums[static_cast<size_t>(i)], 1e-5) << dim << " " << rows << " " << i;
          }
        }
      }
    }
  }
}

TEST_F(BlockAttentionTest, ARowsBitsDoNotDependOnTheRowsBesideIt) {
  Make(41, 24, 9, 2, true);
  const Matrix together = Run(0, 24);
  for (int64_t first = 0; first < 24; ++first) {
    for (const int64_t count : {1, 2, 5}) {
      if (first + count > 24) continue;
      const Matrix some = Run(first, count);
      for (int64_t m = 0; m < count; ++m) {
        for (int64_t i = 0; i < 41; ++i) EXPECT_EQ(some.row(m)[i], together.row(first + m)[i]);
      }
    }
  }
}

}  // namespace
}  // namespace heed
