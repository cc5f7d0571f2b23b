// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/thread_shares.h"

#include <algorithm>
#include <bit>

namespace heed {

ThreadShares::Load& ThreadShares::Load::operator+=(const Load& other) {
  tasks += other.tasks;
  rows += other.rows;
  worth += other.worth;
  largest = std::max(largest, other.largest);
  return *this;
}

ThreadShares::Load& ThreadShares::Load::operator-=(const Load& other) {
  tasks -= other.tasks;
  rows -= other.rows;
  worth -= other.worth;
  return *this;
}

ThreadShares::Load ThreadShares::LoadOf(int64_t tasks, int64_t rows, int64_t resident_bytes, int64_t largest) {
  const bool is_small = resident_bytes <= kSmallModelBytes;
  return {tasks, rows, rows * (is_small ? kRowsOfLargeModel / kRowsOfSmallModel : 1), largest};
}

std::vector<int> ThreadShares::TeamSizes(int threads, int steps, int index) {
  if (steps > 0) return {threads / steps + (index < threads % steps ? 1 : 0)};
  std::vector<int> sizes;
  for (int at_a_time = 1; at_a_time <= threads; ++at_a_time) {
    if (Divides(at_a_time, threads) && index < at_a_time) sizes.push_back(threads / at_a_time);
  }
  return sizes;
}

bool ThreadShares::Divides(int steps, int threads) {
  return threads % steps == 0 && (steps == threads || std::has_single_bit(static_cast<unsigned>(steps)));
}

int ThreadShares::WantedSteps(const Load& all) const {
  if (fixed_steps_ > 0) return fixed_steps_;
  for (int steps = threads_; steps > 1; --steps) {
    if (!Divides(steps, threads_) || all.tasks < steps) continue;
    if (all.largest >= kLargeRows && all.largest * steps > all.rows) continue;
    const int64_t enough = steps * kRowsOfLargeModel;
    if (all.worth >= (steps > steps_ ? enough : enough - enough / 4)) return steps;
  }
  return 1;
}

std::optional<ThreadShares::Share> ThreadShares::Offer(const Load& ready) const {
  Load all = under_way_;
  all += ready;
  Share share;
  share.steps = WantedSteps(all);
  share.rows = std::max(kRowsOfSmallModel, (all.rows + share.steps - 1) / share.steps);
  const int free = threads_ - threads_in_use_;
  if (fixed_steps_ > 0) {
    const int free_steps = fixed_steps_ - steps_under_way_;
    if (free_steps <= 0) return std::nullopt;
    // The first steps take what does not divide evenly.
    share.threads = (free + free_steps - 1) / free_steps;
    return share;
  }
  share.threads = threads_ / share.steps;
  if (share.threads > free) return std::nullopt;
  return share;
}

void ThreadShares::Begin(const Share& share, const Load& load) {
  steps_ = share.steps;
  threads_in_use_ += share.threads;
  ++steps_under_way_;
  under_way_ += load;
}

void ThreadShares::End(const Share& share, const Load& load) {
  threads_in_use_ -= share.threads;
  --steps_under_way_;
  under_way_ -= load;
}

}  // namespace heed
