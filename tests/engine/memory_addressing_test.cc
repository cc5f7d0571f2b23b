// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/memory_addressing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "tests/support/naive.h"
#include "tests/support/naive_memory.h"

namespace heed {
namespace {

constexpr HeadKind kRead = HeadKind::kRead, kWrite = HeadKind::kWrite;

struct Machine {
  MemoryShape shape;
  std::vector<HeadKind> heads;
  AddressingConventions conventions;
};

// One session's memory, as the kernel takes it.
class Session {
 public:
  Session(const MemoryHeads& heads, uint32_t seed)
      : heads_(heads),
        memory_(heads.shape().width, heads.shape().stride()),
        weights_(static_cast<int64_t>(heads.heads().size()), heads.shape().stride()),
        reads_(static_cast<size_t>(heads.read_heads() * heads.shape().width)),
        controls_(heads.heads().size() * static_cast<size_t>(heads.controls())) {
    const int64_t slots = heads.shape().slots;
    for (int64_t m = 0; m < heads.shape().width; ++m) {
      const std::vector<float> row = naive::RandomFloats(slots, seed + static_cast<uint32_t>(m));
      std::copy(row.begin(), row.end(), MemoryRow(m));
    }
    for (size_t i = 0; i < heads.heads().size(); ++i) {
      std::vector<float> row = naive::RandomFloats(slots, seed + 1000 + static_cast<uint32_t>(i));
      float sum = 0;
      for (float& weight : row) sum += weight = std::abs(weight);
      for (float& weight : row) weight /= sum;
      std::copy(row.begin(), row.end(), WeightsRow(static_cast<int64_t>(i)));
    }
    parameters_ = naive::RandomFloats(heads.parameters(), seed + 2000);
    for (float& parameter : parameters_) parameter *= 4;
  }

  float* MemoryRow(int64_t m) { return memory_.data() + m * heads_.shape().stride(); }
  float* WeightsRow(int64_t head) { return weights_.data() + head * heads_.shape().stride(); }
  std::vector<float>& parameters() { return parameters_; }
  const std::vector<float>& reads() const { return reads_; }
  const std::vector<float>& controls() const { return controls_; }

  MemorySession Of(bool read_only) {
    return {parameters_.data(), memory_.data(), weights_.data(), reads_.data(), read_only, controls_.data()};
  }

  naive::MemoryState Naive() {
    naive::MemoryState state;
    const int64_t slots = heads_.shape().slots, width = heads_.shape().width;
    state.memory.assign(static_cast<size_t>(slots), std::vector<double>(static_cast<size_t>(width)));
    for (int64_t m = 0; m < width; ++m) {
      for (int64_t n = 0; n < slots; ++n)
        state.memory[static_cast<size_t>(n)][static_cast<size_t>(m)] = MemoryRow(m)[n];
    }
    for (size_t i = 0; i < heads_.heads().size(); ++i) {
      const float* row = WeightsRow(static_cast<int64_t>(i));
      state.weights.emplace_back(row, row + slots);
    }
    state.reads.assign(static_cast<size_t>(heads_.read_heads()), std::vector<double>(static_cast<size_t>(width)));
    return state;
  }

  std::vector<std::vector<double>> NaiveParameters() const {
    std::vector<std::vector<double>> parameters;
    auto at = parameters_.begin();
    for (const HeadKind kind : heads_.heads()) {
      parameters.emplace_back(at, at + heads_.parameters(kind));
      at += heads_.parameters(kind);
    }
    return parameters;
  }

 private:
  // Zeroed floats on cache lines.
  class Aligned {
   public:
    Aligned(int64_t rows, int64_t stride) : size_(static_cast<size_t>(rows * stride)) {
      memory_.reset(static_cast<float*>(AllocateAligned(size_ * sizeof(float))));
      std::fill_n(memory_.get(), size_, 0.0f);
    }
    float* data() { return memory_.get(); }

   private:
    size_t size_;
    AlignedPointer<float> memory_;
  };

  const MemoryHeads& heads_;
  Aligned memory_, weights_;
  std::vector<float> reads_, parameters_, controls_;
};

// A weight is exp(gamma log(..)) of a softmax: exponents up to about 10 make some 10 units in the last place of 1
// (6e-8 each) of the inputs' one, over three steps, and a read sums them with factors of at most 1.
constexpr double kTolerance = 1e-5;

void ExpectAgrees(const Machine& machine, bool read_only, uint32_t seed) {
  const MemoryHeads heads(machine.shape, machine.heads, machine.conventions);
  Session session(heads, seed);
  naive::MemoryState expected = session.Naive();
  Context context(1);
  const MemorySession one = session.Of(read_only);
  for (int step = 0; step < 3; ++step) {
    naive::StepMemory(machine.conventions, machine.heads, machine.shape.width, session.NaiveParameters(), read_only,
                      expected);
    heads.Step(absl::MakeConstSpan(&one, 1), context);
  }
  const naive::MemoryState got = session.Naive();
  for (size_t n = 0; n < expected.memory.size(); ++n) {
    for (size_t m = 0; m < expected.memory[n].size(); ++m) {
      ASSERT_NEAR(got.memory[n][m], expected.memory[n][m], kTolerance) << "slot " << n << " number " << m;
    }
  }
  for (size_t i = 0; i < expected.weights.size(); ++i) {
    for (size_t n = 0; n < expected.weights[i].size(); ++n) {
      ASSERT_NEAR(got.weights[i][n], expected.weights[i][n], kTolerance) << "head " << i << " slot " << n;
    }
    for (int64_t n = machine.shape.slots; n < machine.shape.stride(); ++n) {
      ASSERT_EQ(session.WeightsRow(static_cast<int64_t>(i))[n], 0) << "behind the slots";
    }
  }
  for (size_t r = 0; r < expected.reads.size(); ++r) {
    for (size_t m = 0; m < expected.reads[r].size(); ++m) {
      const float read = session.reads()[r * static_cast<size_t>(machine.shape.width) + m];
      ASSERT_NEAR(read, expected.reads[r][m], kTolerance) << "read " << r << " number " << m;
    }
  }
}

AddressingConventions Order(HeadOrder order) {
  AddressingConventions conventions;
  conventions.order = order;
  return conventions;
}

constexpr HeadOrder kOrders[] = {HeadOrder::kReadsFirst, HeadOrder::kWritesFirst, HeadOrder::kInterleaved};

TEST(MemoryHeads, AgreesForAllSizes) {
  for (const int64_t slots : {2, 3, 8, 15, 16, 17, 33, 100, 128}) {
    for (const int64_t width : {1, 5, 16, 20, 33}) {
      SCOPED_TRACE(testing::Message() << slots << " x " << width);
      for (const HeadOrder order : kOrders) ExpectAgrees({{slots, width}, {kRead, kWrite}, Order(order)}, false, 1);
    }
  }
}

TEST(MemoryHeads, AgreesForAllHeads) {
  const std::vector<std::vector<HeadKind>> lists = {
      {kRead, kWrite},
      {kWrite, kRead},
      {kRead, kRead, kRead, kRead, kWrite},
      {kWrite, kWrite, kWrite, kRead},
      {kRead, kWrite, kRead, kWrite, kRead},
      {kRead, kRead, kRead, kRead, kRead, kRead, kRead, kWrite, kWrite},
      {kWrite, kRead, kRead, kRead, kRead, kRead, kWrite, kRead, kRead, kRead, kRead},
  };
  for (size_t i = 0; i < lists.size(); ++i) {
    for (const HeadOrder order : kOrders) {
      for (const bool read_only : {false, true}) {
        SCOPED_TRACE(testing::Message() << "list " << i << " order " << static_cast<int>(order) << " " << read_only);
        ExpectAgrees({{19, 12}, lists[i], Order(order)}, read_only, 7);
      }
    }
  }
}

TEST(MemoryHeads, AgreesForAllConventions) {
  std::vector<AddressingConventions> all(9);
  all[0].shifts = {1, 0, -1};
  all[1].shifts = {0, 1, 2, -2, -1};
  all[2].shifts = {3};
  all[3].shifts = {18, -18, 5};
  all[4].tanh_keys = all[4].tanh_adds = false;
  all[5].cosine = CosineForm::kClamped;
  all[5].cosine_epsilon = 2.5f;
  all[6].cosine_epsilon = 0.5f;
  all[7].base_epsilon = 1e-3f;
  all[7].sum_epsilon = 0.2f;
  all[8].clip = 0.7f;
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "conventions " << i);
    ExpectAgrees({{19, 12}, {kRead, kRead, kWrite}, all[i]}, false, 3);
  }
}

TEST(MemoryHeads, AgreesForExtremeParameters) {
  // beta, g, s and gamma of a head far from zero, one after the other; sizes from one slot on.
  for (const int64_t slots : {1, 20, 128}) {
    for (const HeadOrder order : kOrders) {
      for (const float extreme : {-300.0f, -25.0f, 25.0f, 300.0f}) {
        for (size_t which = 0; which < 6; ++which) {
          SCOPED_TRACE(testing::Message() << slots << " slots, number " << which << " is " << extreme);
          Machine machine = {{slots, 4}, {kRead, kWrite}, Order(order)};
          if (slots == 1) machine.conventions.shifts = {0};
          if (slots == 1 && which > 3) continue;
          const MemoryHeads heads(machine.shape, machine.heads, machine.conventions);
          Session session(heads, 1);
          // Weights that are spread, so that a large gamma has something to sharpen.
          session.parameters()[4 + which] = extreme;
          naive::MemoryState expected = session.Naive();
          naive::StepMemory(machine.conventions, machine.heads, 4, session.NaiveParameters(), false, expected);
          Context context(1);
          const MemorySession one = session.Of(false);
          heads.Step(absl::MakeConstSpan(&one, 1), context);
          const naive::MemoryState got = session.Naive();
          for (size_t n = 0; n < expected.weights[0].size(); ++n) {
            // pow(double) of 300 underflows to 0 / 0 where ours does not: then there is nothing to compare with.
            if (std::isfinite(expected.weights[0][n])) {
              ASSERT_NEAR(got.weights[0][n], expected.weights[0][n], 2e-3) << n;
            }
            ASSERT_TRUE(std::isfinite(got.weights[0][n])) << n;
          }
        }
      }
    }
  }
}

TEST(MemoryHeads, UniformWeightsStaySoHoweverLargeGammaIs) {
  const MemoryHeads heads({128, 4}, {kRead, kWrite}, {});
  Session session(heads, 1);
  std::fill_n(session.WeightsRow(0), 128, 1.0f / 128);
  session.parameters()[5] = -200;  // the gate: all of the weights before
  for (const float gamma : {18.0f, 20.0f, 25.0f, 40.0f, 1000.0f}) {
    session.parameters()[9] = gamma;
    Context context(1);
    const MemorySession one = session.Of(false);
    heads.Step(absl::MakeConstSpan(&one, 1), context);
    for (int64_t n = 0; n < 128; ++n) ASSERT_NEAR(session.WeightsRow(0)[n], 1.0f / 128, 1e-3) << gamma;
    std::fill_n(session.WeightsRow(0), 128, 1.0f / 128);
  }
}

TEST(MemoryHeads, AnEraseFarBelowZeroErasesNothing) {
  const MemoryHeads heads({8, 4}, {kRead, kWrite}, {});
  Session session(heads, 1);
  const naive::MemoryState before = session.Naive();
  const int64_t erase = heads.parameters(kRead) + 4 + 6;
  for (int64_t m = 0; m < 4; ++m) {
    session.parameters()[static_cast<size_t>(erase + m)] = -200;
    session.parameters()[static_cast<size_t>(erase + 4 + m)] = 0;
  }
  Context context(1);
  const MemorySession one = session.Of(false);
  heads.Step(absl::MakeConstSpan(&one, 1), context);
  EXPECT_EQ(session.Naive().memory, before.memory);
}

TEST(MemoryHeads, WeightsOfZerosStayFinite) {
  AddressingConventions conventions;
  conventions.sum_epsilon = 1e-16f;
  const MemoryHeads heads({9, 4}, {kRead, kWrite}, conventions);
  Session session(heads, 1);
  std::fill_n(session.WeightsRow(0), heads.shape().stride() * 2, 0.0f);
  for (int64_t m = 0; m < 4; ++m) std::fill_n(session.MemoryRow(m), 9, 0.0f);
  session.parameters().assign(session.parameters().size(), 0.0f);
  session.parameters()[5] = -200;  // the gate: all of the weights before, which are zeros
  Context context(1);
  const MemorySession one = session.Of(false);
  heads.Step(absl::MakeConstSpan(&one, 1), context);
  for (int64_t n = 0; n < 9; ++n) EXPECT_EQ(session.WeightsRow(0)[n], 0);
  for (const float read : session.reads()) EXPECT_EQ(read, 0);
}

TEST(MemoryHeads, WhatIsNotANumberIsSeenInWeightsAndReads) {
  const MemoryHeads heads({9, 4}, {kRead, kWrite}, {});
  Session session(heads, 1);
  session.parameters()[0] = std::nanf("");
  Context context(1);
  const MemorySession one = session.Of(false);
  heads.Step(absl::MakeConstSpan(&one, 1), context);
  EXPECT_TRUE(std::isnan(session.WeightsRow(0)[3]));
  EXPECT_TRUE(std::isnan(session.reads()[0]));
  EXPECT_FALSE(std::isnan(session.WeightsRow(1)[3]));
}

TEST(MemoryHeads, OneSlotThatIsNotANumberIsSeenInWeightsAndReads) {
  const MemoryHeads heads({9, 4}, {kRead, kWrite}, {});
  Session session(heads, 1);
  session.MemoryRow(2)[5] = std::nanf("");
  Context context(1);
  const MemorySession one = session.Of(false);
  heads.Step(absl::MakeConstSpan(&one, 1), context);
  EXPECT_TRUE(std::isnan(session.WeightsRow(0)[0]));
  EXPECT_TRUE(std::isnan(session.reads()[2]));
}

TEST(MemoryHeads, ReadOnlyLeavesMemoryAndWriteHeadsAsTheyWere) {
  const MemoryHeads heads({20, 8}, {kRead, kWrite}, {});
  Session session(heads, 5);
  const naive::MemoryState before = session.Naive();
  Context context(1);
  const MemorySession one = session.Of(true);
  heads.Step(absl::MakeConstSpan(&one, 1), context);
  const naive::MemoryState after = session.Naive();
  EXPECT_EQ(after.memory, before.memory);
  EXPECT_EQ(after.weights[1], before.weights[1]);
  EXPECT_NE(after.weights[0], before.weights[0]);
}

TEST(MemoryHeads, ControlsAreTheSquashedParameters) {
  const MemoryHeads heads({20, 8}, {kRead, kWrite}, {});
  Session session(heads, 5);
  Context context(1);
  const MemorySession one = session.Of(false);
  heads.Step(absl::MakeConstSpan(&one, 1), context);
  for (size_t i = 0; i < 2; ++i) {
    const naive::HeadControls expected =
        naive::Squash(heads.conventions(), heads.heads()[i], 8, session.NaiveParameters()[i]);
    const float* got = session.controls().data() + static_cast<int64_t>(i) * heads.controls();
    EXPECT_NEAR(got[0], expected.strength, 1e-6);
    EXPECT_NEAR(got[1], expected.gate, 1e-6);
    for (size_t j = 0; j < 3; ++j) EXPECT_NEAR(got[2 + j], expected.shifts[j], 1e-6);
    EXPECT_NEAR(got[5], expected.sharpening, 1e-6);
    double erase = 0;
    for (const double e : expected.erase) erase += e / 8;
    EXPECT_NEAR(got[6], erase, 1e-6);
  }
}

TEST(MemoryHeads, ManySessionsAreTheSameAsEachAloneForEveryTeam) {
  AddressingConventions conventions;
  conventions.order = HeadOrder::kWritesFirst;
  const MemoryHeads heads({40, 24}, {kRead, kRead, kWrite}, conventions);
  const auto states = [&](int team, bool together) {
    std::vector<Session> sessions;
    for (uint32_t i = 0; i < 23; ++i) sessions.emplace_back(heads, 10'000 * i);
    std::vector<MemorySession> all;
    for (size_t i = 0; i < sessions.size(); ++i) all.push_back(sessions[i].Of(i % 3 == 2));
    Context context(team);
    if (together) {
      heads.Step(all, context);
    } else {
      for (const MemorySession& one : all) heads.Step(absl::MakeConstSpan(&one, 1), context);
    }
    std::vector<std::vector<float>> result;
    for (Session& session : sessions) {
      result.push_back(session.reads());
      result.emplace_back(session.MemoryRow(0), session.MemoryRow(0) + 24 * heads.shape().stride());
      result.emplace_back(session.WeightsRow(0), session.WeightsRow(0) + 3 * heads.shape().stride());
    }
    return result;
  };
  const auto alone = states(1, false);
  EXPECT_EQ(states(1, true), alone);
  EXPECT_EQ(states(3, true), alone);
}

}  // namespace
}  // namespace heed
