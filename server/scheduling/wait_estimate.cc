// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/wait_estimate.h"

#include <algorithm>
#include <cmath>

namespace heed {
namespace {

constexpr double kMeanSeconds = 1;
constexpr double kMaxForgottenAtOnce = 0.25;  // of e-folds: what a single departure makes of those before it
constexpr double kTaskWeight = 1.0 / 32;
constexpr double kLongestWeight = 1.0 / 512;
constexpr double kDeviations = 2;
constexpr double kStepWeight = 1.0 / 4;
constexpr double kTasksOfAnEmptyStep = 8;  // a step takes about as long for 8 tasks as it would without
constexpr double kLongestSeconds = 1e6;

Clock::duration Duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, kLongestSeconds)));
}

}  // namespace

void QueueTimeEstimate::Join(int64_t rows, TimePoint now) {
  if (waiting_rows_ == 0) {
    departed_rows_ = departed_seconds_ = 0;
    last_departure_ = now;
  }
  waiting_rows_ += rows;
}

void QueueTimeEstimate::Depart(int64_t rows, TimePoint now) {
  const double seconds = ToSeconds(now - last_departure_);
  const double weight = std::exp(-std::min(seconds / kMeanSeconds, kMaxForgottenAtOnce));
  departed_rows_ = departed_rows_ * weight + static_cast<double>(rows);
  departed_seconds_ = departed_seconds_ * weight + seconds;
  waiting_rows_ -= rows;
  last_departure_ = now;
}

std::optional<Clock::duration> QueueTimeEstimate::QueueTime(TimePoint now) const {
  if (waiting_rows_ == 0 || departed_rows_ == 0) return std::nullopt;
  const double seconds = departed_seconds_ + ToSeconds(now - last_departure_);
  return Duration(static_cast<double>(waiting_rows_) * seconds / departed_rows_);
}

void RunTimeEstimate::AddTask(int64_t steps, bool ended) {
  double log_steps = std::log(static_cast<double>(steps));
  if (!ended) log_steps = std::max(log_steps, log_steps_);
  const double weight = knows_tasks_ ? kTaskWeight : 1;
  const double difference = log_steps - log_steps_;
  log_steps_ += weight * difference;
  variance_ = (1 - weight) * (variance_ + weight * difference * difference);
  longest_ = std::max(log_steps, longest_ + kLongestWeight * (log_steps_ - longest_));
  knows_tasks_ = true;
}

void RunTimeEstimate::AddStep(Clock::duration period, int64_t tasks) {
  const double share = ToSeconds(period) / (static_cast<double>(tasks) + kTasksOfAnEmptyStep);
  share_seconds_ += (knows_steps_ ? kStepWeight : 1) * (share - share_seconds_);
  knows_steps_ = true;
}

Clock::duration RunTimeEstimate::RunTime(int64_t tasks) const {
  if (!knows_tasks_ || !knows_steps_) return Clock::duration::zero();
  const double steps = std::exp(std::min(log_steps_ + kDeviations * std::sqrt(variance_), longest_));
  return Duration(steps * share_seconds_ * (static_cast<double>(tasks) + kTasksOfAnEmptyStep));
}

}  // namespace heed
