// SPDX-License-Identifier: Apache-2.0
// Where requests become tasks: small ones on the thread that received them, large ones on threads of their own, so that
// health checks and small calls never wait behind a megabyte that is being tokenized.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace heed {

struct PreparationOptions {
  int64_t max_inline_bytes = 64 << 10;  // of a request that is prepared at once; takes up to some 0.1 s
  int64_t max_medium_bytes = 1 << 20;   // of a request of the first lane; larger ones take the second
  // Of the requests that wait in one lane. The one that is being prepared does not count: a lane always takes one.
  int64_t max_waiting_bytes = 64 << 20;
};

// Two lanes with a thread each: a request of a megabyte never waits for one of sixteen. Thread-safe.
class Preparation {
 public:
  explicit Preparation(const PreparationOptions& options = {});
  // Runs what waits. Its callers have been told to end: their deadlines and cancellations are looked at first.
  ~Preparation();
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;

  // Runs `work`, which throws nothing, for a request of `bytes`: before this returns if the request is small, else
  // later on another thread. RESOURCE_EXHAUSTED with a retry delay: its lane is full, and `work` never runs.
  absl::Status Run(int64_t bytes, std::function<void()> work);
  // The same for a request that was taken already, and whose caller has no time for it, however small it is: never on
  // the calling thread, never refused.
  void RunApart(int64_t bytes, std::function<void()> work);

 private:
  struct Request {
    int64_t bytes;
    std::function<void()> work;
  };
  struct Lane {
    Mutex mutex;
    CondVar changed;
    std::deque<Request> waiting GUARDED_BY(mutex);  // in order of arrival
    int64_t waiting_bytes GUARDED_BY(mutex) = 0;
    bool stopping GUARDED_BY(mutex) = false;
    std::thread thread;  // constant after construction
  };

  // Adds to the lane of a request of `bytes`; refuses one for which there is no room if `refuses`.
  absl::Status Add(int64_t bytes, std::function<void()> work, bool refuses);
  static void Serve(Lane& lane);

  const PreparationOptions options_;
  std::array<Lane, 2> lanes_;
};

}  // namespace heed
