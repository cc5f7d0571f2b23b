#include "server/wait_estimate.h"

#include <algorithm>
#include <cmath>

namespace heed {
namespace {

constexpr double kMeanSeconds = 1;
constexpr double kMostForgottenAtOnce = 0.25;  // of e-folds: what a single departure makes of those before it
constexpr double kRunTimeWeight = 1.0 / 16;
constexpr double kShortestRunTime = 1e-6;
constexpr std::chrono::seconds kForgotten(10);
constexpr double kLongestSeconds = 1e6;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

Clock::duration Duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, kLongestSeconds)));
}

}  // namespace

void QueueTimeEstimate::Join(int64_t rows, TimePoint now) {
  if (waiting_rows_ == 0) {
    if (now - changed_ >= kForgotten) departed_rows_ = departed_seconds_ = seconds_before_change_ = 0;
    changed_ = now;
  }
  waiting_rows_ += rows;
}

void QueueTimeEstimate::Depart(int64_t rows, TimePoint now) {
  const double seconds = SecondsWithoutDeparture(now);
  const double weight = std::exp(-std::min(Seconds(now - last_departure_) / kMeanSeconds, kMostForgottenAtOnce));
  departed_rows_ = departed_rows_ * weight + static_cast<double>(rows);
  departed_seconds_ = departed_seconds_ * weight + seconds;
  waiting_rows_ -= rows;
  seconds_before_change_ = 0;
  changed_ = last_departure_ = now;
}

void QueueTimeEstimate::GiveUp(int64_t rows, TimePoint now) {
  waiting_rows_ -= rows;
  if (waiting_rows_ > 0) return;
  seconds_before_change_ += Seconds(now - changed_);
  changed_ = now;
}

std::optional<Clock::duration> QueueTimeEstimate::QueueTime(TimePoint now) const {
  if (waiting_rows_ == 0 || departed_rows_ == 0) return std::nullopt;
  const double seconds = departed_seconds_ + SecondsWithoutDeparture(now);
  return Duration(static_cast<double>(waiting_rows_) * seconds / departed_rows_);
}

double QueueTimeEstimate::SecondsWithoutDeparture(TimePoint now) const {
  return seconds_before_change_ + (waiting_rows_ > 0 ? Seconds(now - changed_) : 0);
}

void RunTimeEstimate::Add(Clock::duration run_time, TimePoint now) {
  const double log_seconds = std::log(std::max(Seconds(run_time), kShortestRunTime));
  log_seconds_ = RunTime(now) > Clock::duration::zero() ? log_seconds_ + kRunTimeWeight * (log_seconds - log_seconds_)
                                                        : log_seconds;
  known_ = true;
  last_ = now;
}

Clock::duration RunTimeEstimate::RunTime(TimePoint now) const {
  if (!known_ || now - last_ >= kForgotten) return Clock::duration::zero();
  return Duration(std::exp(log_seconds_));
}

}  // namespace heed
