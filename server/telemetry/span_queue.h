// SPDX-License-Identifier: Apache-2.0
// The spans of finished requests on their way to whoever sends them on.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/span.h"

namespace heed {

// Bounded: what does not fit is dropped and counted, so that no request ever waits for its trace. Thread-safe.
class SpanQueue {
 public:
  // `metrics` outlives it.
  SpanQueue(int64_t max_spans, Metrics& metrics) : max_spans_(max_spans), metrics_(metrics) {}

  // Adds all spans of the request or, if there is no room for them or the queue is closed, none.
  void Add(RequestSpans request) EXCLUDES(mutex_);

  // Waits until there are `enough` spans or the queue is half full, or for `patience`, or until Close. Takes at least
  // one request if there is one, and more while they have at most `enough` spans together.
  std::vector<RequestSpans> Take(int64_t enough, Clock::duration patience) EXCLUDES(mutex_);

  // Take waits no more, and Add takes nothing.
  void Close() EXCLUDES(mutex_);
  bool closed() const EXCLUDES(mutex_);

 private:
  const int64_t max_spans_;
  Metrics& metrics_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<RequestSpans> requests_ GUARDED_BY(mutex_);
  int64_t spans_ GUARDED_BY(mutex_) = 0;   // of them
  int64_t wanted_ GUARDED_BY(mutex_) = 0;  // how many Take waits for; 0: nobody waits
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace heed
