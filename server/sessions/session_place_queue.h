// SPDX-License-Identifier: Apache-2.0
// The threads that carry out what is asked of a place: in order for each session, beside each other for several.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace heed {

// Thread-safe.
class SessionPlaceQueue {
 public:
  // Told why it is not carried out, or OK.
  using Job = std::function<void(const absl::Status& refused)>;

  // `max_jobs` may wait for each thread.
  SessionPlaceQueue(int threads, size_t max_jobs);
  // Stops.
  ~SessionPlaceQueue();
  SessionPlaceQueue(const SessionPlaceQueue&) = delete;
  SessionPlaceQueue& operator=(const SessionPlaceQueue&) = delete;

  // Calls `job` once, on a thread of its session; or at once, refused with UNAVAILABLE: too many wait already, or Stop
  // was called.
  void Add(const std::string& id, Job job);
  // Returns when all jobs that were accepted are carried out.
  void Stop();

 private:
  // One thread and the jobs that wait for it.
  struct Lane {
    Mutex mutex;
    CondVar work;
    std::deque<Job> jobs GUARDED_BY(mutex);
    bool stop GUARDED_BY(mutex) = false;
    std::thread thread;  // constant after construction until Stop
  };
  static void Run(Lane& lane);

  const size_t max_jobs_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // constant after construction
};

}  // namespace heed
