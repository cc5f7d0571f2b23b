// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "engine/kernels/instruction_set.h"
#include "engine/kernels/key_value_cache.h"
#include "files/float16.h"
#include "hwy/highway.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

// Queries, keys and values of some heads, and what a plain loop in double computes with them.
class AttentionTest : public testing::Test {
 protected:
  void Make(const HeadLayout& layout, CellStorage storage, int64_t queries, int64_t keys) {
    layout_ = layout;
    storage_ = storage;
    queries_ = naive::RandomMatrix(queries, layout.width(), 1);
    for (int64_t m = 0; m < queries; ++m) {
      for (int64_t i = 0; i < layout.width(); ++i) queries_.row(m)[i] *= 3;
    }
    keys_ = naive::RandomMatrix(keys, layout.width(), 2);
    values_ = naive::RandomMatrix(keys, layout.width(), 3);
    cells_ = std::make_unique<KeyValueCache>(layout, storage, 1, 2, 12);
    cells_->Reserve(keys - 1);
    slots_.clear();
    for (int64_t t = 0; t < keys; ++t) {
      slots_.push_back(static_cast<int32_t>(t * t / 3 % 2));
      StoreCells(layout, storage, keys_.row(t), cells_->Key(0, t, slots_.back()));
      StoreCells(layout, storage, values_.row(t), cells_->Value(0, t, slots_.back()));
    }
  }

  // Queries [first, first + count) over the first keys.
  // `some`: to what it holds, the weights of `heads` are added, over their number.
  Matrix Run(int64_t first, int64_t count, int64_t keys, Matrix* weights = nullptr,
             const std::vector<int32_t>& heads = {}, Matrix* some = nullptr) {
    std::vector<const void*> key_cells(static_cast<size_t>(keys)), value_cells(key_cells);
    cells_->PointAt(0, keys, slots_.data(), key_cells.data(), value_cells.data());
    Matrix context(count, layout_.width()), mean(count, keys);
    std::vector<float*> means;
    for (int64_t m = 0; m < count; ++m) means.push_back(m % 3 == 2 ? nullptr : mean.row(m));
    const AlignedPointer<float> scratch(static_cast<float*>(
        AllocateAligned(static_cast<size_t>(AttentionScratch(layout_, count, keys)) * sizeof(float))));
    HeadAttention attention;
    attention.layout = layout_;
    attention.storage = storage_;
    attention.queries = count;
    attention.query = queries_.row(first);
    attention.query_stride = queries_.view().stride;
    attention.keys = keys;
    attention.key_cells = key_cells.data();
    attention.value_cells = value_cells.data();
    attention.scratch = scratch.get();
    attention.context = context.row(0);
    attention.context_stride = context.view().stride;
    attention.mean_weights = weights == nullptr ? nullptr : means.data();
    std::vector<float*> sums;
    for (int64_t m = 0; m < count && some != nullptr; ++m) sums.push_back(m % 4 == 3 ? nullptr : some->row(m));
    attention.heads = heads.data();
    attention.head_count = static_cast<int64_t>(heads.size());
    attention.head_divisor = static_cast<float>(heads.size());
    attention.head_weights = some == nullptr ? nullptr : sums.data();
    Attend(attention);
    if (weights != nullptr) *weights = std::move(mean);
    return context;
  }

  double Stored(float value) const { return storage_ == CellStorage::kF32 ? value : F32FromF16(F16FromF32(value)); }

  void ExpectWhatAPlainLoopComputes(const Matrix& context, const Matrix& mean, int64_t keys) const {
    double tolerance = 3 * naive::SumTolerance(layout_.head_dim() + keys, 1) + 1e-6;
    // Machines without an instruction for it round to f16 in Highway's way, which may be a unit in the last of 11 bits
    // away from the nearest: of a value below 1, and of each product of a score.
    if (storage_ == CellStorage::kF16 && UsedInstructionSet() == InstructionSet::kPortable) {
      tolerance += 0x1p-10 * (1 + 3 * std::sqrt(static_cast<double>(layout_.head_dim())));
    }
    for (int64_t m = 0; m < context.rows(); ++m) {
      std::vector<double> means(static_cast<size_t>(keys));
      for (int64_t h = 0; h < layout_.heads(); ++h) {
        std::vector<double> scores;
        for (int64_t t = 0; t < keys; ++t) {
          double score = 0;
          for (int64_t i = 0; i < layout_.head_dim(); ++i) {
            const int64_t at = layout_.Place(h, i);
            score += queries_.row(m)[at] * Stored(keys_.row(t)[at]);
          }
          scores.push_back(score / std::sqrt(static_cast<double>(layout_.head_dim())));
        }
        const std::vector<double> weights = naive::Softmax(scores);
        for (size_t t = 0; t < weights.size(); ++t) means[t] += weights[t] / static_cast<double>(layout_.heads());
        for (int64_t i = 0; i < layout_.head_dim(); ++i) {
          const int64_t at = layout_.Place(h, i);
          double sum = 0;
          for (int64_t t = 0; t < keys; ++t) sum += weights[static_cast<size_t>(t)] * Stored(values_.row(t)[at]);
          ASSERT_NEAR(context.row(m)[at], sum, tolerance) << h << " " << i;
        }
      }
      for (int64_t t = 0; t < keys; ++t) {
        ASSERT_NEAR(mean.row(m)[t], m % 3 == 2 ? 0 : means[static_cast<size_t>(t)], tolerance) << t;
      }
    }
  }

  HeadLayout layout_;
  CellStorage storage_ = CellStorage::kF32;
  Matrix queries_, keys_, values_;
  std::vector<int32_t> slots_;
  std::unique_ptr<KeyValueCache> cells_;
};

TEST_F(AttentionTest, AgreesWithAPlainLoop) {
  for (const CellStorage storage : {CellStorage::kF32, CellStorage::kF16}) {
    for (const auto& [heads, head_dim] : std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                                                  {1, 40},
                                                                                  {2, 5},
                                                                                  {3, 16},
                                                                                  {4, 64},
                                                                                  {6, 7},
                                                                                  {8, 24},
                                                                                  {8, 64},
                                                                                  {12, 20},
                                                                                  {16, 3},
                                                                                  {20, 8},
                                                                                  {32, 4}}) {
      for (const int64_t queries : {1, 2, 3, 4, 5, 7, 12}) {
        SCOPED_TRACE(testing::Message() << heads << " heads of " << head_dim << ", " << queries << " queries, "
                                        << (storage == CellStorage::kF32 ? "f32" : "f16"));
        Make(HeadLayout(heads, head_dim), storage, queries, 70);
        for (int64_t keys = queries; keys <= 70; keys += keys < 18 ? 1 : 13) {
          Matrix mean;
          const Matrix context = Run(0, queries, keys, &mean);
          ExpectWhatAPlainLoopComputes(context, mean, keys);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_F(AttentionTest, SomeHeadsGiveTheirWeightsAndChangeNothing) {
  for (const CellStorage storage : {CellStorage::kF32, CellStorage::kF16}) {
    for (const int64_t count : {1, 3, 8, 12, 32}) {
      Make(HeadLayout(count, 12), storage, 6, 21);
      const Matrix plain = Run(0, 6, 21);
      Matrix mean, sum(6, 21);
      std::vector<int32_t> all;
      for (int32_t h = 0; h < count; ++h) all.push_back(h);
      const Matrix context = Run(0, 6, 21, &mean, all, &sum);
      std::vector<Matrix> one_by_one;
      for (int32_t h = 0; h < count; ++h) Run(0, 6, 21, nullptr, {h}, &one_by_one.emplace_back(6, 21));
      for (int64_t m = 0; m < 6; ++m) {
        for (int64_t i = 0; i < plain.cols(); ++i) ASSERT_EQ(context.row(m)[i], plain.row(m)[i]);
        for (int64_t t = 0; t < 21; ++t) {
          if (m % 4 == 3) {
            ASSERT_EQ(sum.row(m)[t], 0);  // it did not ask
            continue;
          }
          if (m % 3 != 2) {
            ASSERT_NEAR(sum.row(m)[t], mean.row(m)[t], 1e-5);
          }
          float of_heads = 0;
          for (const Matrix& head : one_by_one) of_heads += head.row(m)[t] / static_cast<float>(count);
          ASSERT_NEAR(of_heads, sum.row(m)[t], 1e-5);
        }
      }
    }
  }
}

TEST_F(AttentionTest, AQuerysBitsDoNotDependOnTheQueriesBesideIt) {
  for (const CellStorage storage : {CellStorage::kF32, CellStorage::kF16}) {
    for (const int64_t heads : {3, 4, 8, 12}) {
      Make(HeadLayout(heads, 20), storage, 12, 45);
      for (const int64_t keys : {1, 3, 16, 45}) {
        Matrix together_mean, some_mean;
        const Matrix together = Run(0, 12, keys, &together_mean);
        for (int64_t first = 0; first < 12; ++first) {
          for (const int64_t count : {1, 2, 3, 4, 5, 9}) {
            if (first + count > 12) continue;
            const Matrix some = Run(first, count, keys, &some_mean);
            for (int64_t m = 0; m < count; ++m) {
              for (int64_t i = 0; i < together.cols(); ++i) ASSERT_EQ(some.row(m)[i], together.row(first + m)[i]);
              if (m % 3 == 2 || (first + m) % 3 == 2) continue;
              for (int64_t t = 0; t < keys; ++t) ASSERT_EQ(some_mean.row(m)[t], together_mean.row(first + m)[t]);
            }
          }
        }
      }
    }
  }
}

// Runs with the kernels of one of Highway's targets.
Matrix OnTarget(int64_t target, const std::function<Matrix()>& run) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  Matrix result = run();
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  return result;
}

TEST_F(AttentionTest, Avx2AndAvx512GiveTheSameBits) {
  if ((hwy::SupportedTargets() & HWY_AVX2) == 0 || (hwy::SupportedTargets() & HWY_AVX3) == 0) {
    GTEST_SKIP() << "this machine has no AVX-512";
  }
  for (const CellStorage storage : {CellStorage::kF32, CellStorage::kF16}) {
    for (const int64_t heads : {1, 2, 4, 8, 12, 16}) {
      Make(HeadLayout(heads, 20), storage, 7, 45);
      const Matrix avx2 = OnTarget(HWY_AVX2, [&] { return Run(0, 7, 45); });
      const Matrix avx512 = OnTarget(HWY_AVX3, [&] { return Run(0, 7, 45); });
      for (int64_t m = 0; m < 7; ++m) {
        for (int64_t i = 0; i < avx2.cols(); ++i) ASSERT_EQ(avx2.row(m)[i], avx512.row(m)[i]) << heads;
      }
    }
  }
}

TEST(HeadLayout, PutsTheHeadsOfAGroupSideBySide) {
  const HeadLayout four(4, 3);
  EXPECT_EQ(four.Order(), (std::vector<int32_t>{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}));
  EXPECT_EQ(four.cells(), 1);
  const HeadLayout six(6, 2);  // three groups of two heads
  EXPECT_EQ(six.Order(), (std::vector<int32_t>{0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11}));
  EXPECT_EQ(six.cells(), 3);
  EXPECT_EQ(HeadLayout(5, 4).Order(),
            (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
  EXPECT_EQ(HeadLayout(32, 4).groups(), 2);
  EXPECT_EQ(HeadLayout(8, 64).CellBytes(CellStorage::kF16, 5), 8 * 512 * 2);
}

TEST(StoreCells, FillsUpWithZerosAndKeepsF16Finite) {
  const HeadLayout layout(1, 18);
  std::vector<float> row(18, 1.0f / 3);
  row[1] = 1e6f;
  row[2] = -std::numeric_limits<float>::infinity();
  row[17] = std::nanf("");
  const AlignedPointer<uint16_t> cells(static_cast<uint16_t*>(AllocateAligned(2 * kCellStride * sizeof(uint16_t))));
  StoreCells(layout, CellStorage::kF16, row.data(), cells.get());
  EXPECT_EQ(F32FromF16(cells.get()[0]), F32FromF16(F16FromF32(1.0f / 3)));
  EXPECT_EQ(F32FromF16(cells.get()[1]), 65504);
  EXPECT_EQ(F32FromF16(cells.get()[2]), -65504);
  EXPECT_TRUE(std::isnan(F32FromF16(cells.get()[kCellStride + 1])));
  for (int64_t i = 2; i < kCellValues; ++i) EXPECT_EQ(cells.get()[kCellStride + i], 0);
}

}  // namespace
}  // namespace heed
