// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/preparation.h"

#include <pthread.h>
#include <sched.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// What a lane that is full needs, about, to have room again.
constexpr std::chrono::seconds kLaneRetryDelay(1);

}  // namespace

Preparation::Preparation(const PreparationOptions& options) : options_(options) {
  for (Lane& lane : lanes_) lane.thread = std::thread([&lane] { Serve(lane); });
}

Preparation::~Preparation() {
  for (Lane& lane : lanes_) {
    {
      MutexLock lock(lane.mutex);
      lane.stopping = true;
    }
    lane.changed.NotifyOne();
    lane.thread.join();
  }
}

absl::Status Preparation::Run(int64_t bytes, std::function<void()> work) {
  if (bytes <= options_.max_inline_bytes) {
    work();
    return absl::OkStatus();
  }
  return Add(bytes, std::move(work), /*refuses=*/true);
}

void Preparation::RunApart(int64_t bytes, std::function<void()> work) {
  Add(bytes, std::move(work), /*refuses=*/false).IgnoreError();  // cannot fail
}

absl::Status Preparation::Add(int64_t bytes, std::function<void()> work, bool refuses) {
  Lane& lane = lanes_[bytes <= options_.max_medium_bytes ? 0 : 1];
  {
    MutexLock lock(lane.mutex);
    if (refuses && !lane.waiting.empty() && lane.waiting_bytes + bytes > options_.max_waiting_bytes) {
      absl::Status full = absl::ResourceExhaustedError(absl::StrCat("large requests of ", lane.waiting_bytes,
                                                                    " bytes wait to be prepared, ", bytes,
                                                                    " more would exceed ", options_.max_waiting_bytes));
      return WithRetryDelay(WithReason(std::move(full), "queue_full"), kLaneRetryDelay);
    }
    lane.waiting_bytes += bytes;
    lane.waiting.push_back({bytes, std::move(work)});
  }
  lane.changed.NotifyOne();
  return absl::OkStatus();
}

void Preparation::Serve(Lane& lane) {
  // As the executors: throughput, and nobody is pushed aside who reads the next request.
  const sched_param parameters{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &parameters);
  while (true) {
    Request request;
    {
      MutexLock lock(lane.mutex);
      while (lane.waiting.empty() && !lane.stopping) lane.changed.Wait(lane.mutex);
      if (lane.waiting.empty()) return;
      request = std::move(lane.waiting.front());
      lane.waiting.pop_front();
      lane.waiting_bytes -= request.bytes;
    }
    request.work();
  }
}

}  // namespace heed
