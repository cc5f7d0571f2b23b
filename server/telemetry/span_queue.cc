// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/span_queue.h"

#include <algorithm>
#include <utility>

namespace heed {

void SpanQueue::Add(RequestSpans request) {
  const int64_t count = request.span_count();
  bool enough = false;
  bool added = false;
  {
    MutexLock lock(mutex_);
    added = !closed_ && spans_ + count <= max_spans_;
    if (added) {
      requests_.push_back(std::move(request));
      spans_ += count;
      enough = wanted_ > 0 && spans_ >= wanted_;
      metrics_.Set(Metric::kQueuedTraceSpans, {}, static_cast<double>(spans_));
    }
  }
  if (enough) changed_.NotifyOne();
  if (!added) metrics_.Add(Metric::kTraceSpans, {"dropped"}, static_cast<double>(count));
}

std::vector<RequestSpans> SpanQueue::Take(int64_t enough, Clock::duration patience) {
  const TimePoint latest = Clock::now() + patience;
  std::vector<RequestSpans> taken;
  MutexLock lock(mutex_);
  wanted_ = std::max<int64_t>(1, std::min(enough, max_spans_ / 2));
  while (!closed_ && spans_ < wanted_ && Clock::now() < latest) changed_.WaitUntil(mutex_, latest);
  wanted_ = 0;
  int64_t count = 0;
  while (!requests_.empty() && (count == 0 || count + requests_.front().span_count() <= enough)) {
    count += requests_.front().span_count();
    taken.push_back(std::move(requests_.front()));
    requests_.pop_front();
  }
  spans_ -= count;
  metrics_.Set(Metric::kQueuedTraceSpans, {}, static_cast<double>(spans_));
  return taken;
}

void SpanQueue::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.NotifyAll();
}

bool SpanQueue::closed() const {
  MutexLock lock(mutex_);
  return closed_;
}

}  // namespace heed
