// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_place_queue.h"

#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace heed {

SessionPlaceQueue::SessionPlaceQueue(int threads, size_t max_jobs) : max_jobs_(max_jobs) {
  for (int i = 0; i < threads; ++i) {
    Lane& lane = *lanes_.emplace_back(std::make_unique<Lane>());
    lane.thread = std::thread([&lane] { Run(lane); });
  }
}

SessionPlaceQueue::~SessionPlaceQueue() { Stop(); }

void SessionPlaceQueue::Add(const std::string& id, Job job) {
  Lane& lane = *lanes_[std::hash<std::string>()(id) % lanes_.size()];
  absl::Status refused;
  {
    MutexLock lock(lane.mutex);
    if (lane.stop) {
      refused = absl::UnavailableError("the server is shutting down");
    } else if (lane.jobs.size() >= max_jobs_) {
      refused = absl::UnavailableError(absl::StrCat("sessions: ", lane.jobs.size(),
                                                    " requests wait already for the place where this session is kept"));
    } else {
      lane.jobs.push_back(std::move(job));
    }
  }
  if (refused.ok()) {
    lane.work.NotifyOne();
  } else {
    job(refused);
  }
}

void SessionPlaceQueue::Stop() {
  for (const auto& lane : lanes_) {
    {
      MutexLock lock(lane->mutex);
      lane->stop = true;
    }
    lane->work.NotifyOne();
    if (lane->thread.joinable()) lane->thread.join();
  }
}

void SessionPlaceQueue::Run(Lane& lane) {
  // A connection that the other side closed is an error of the call that writes to it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  while (true) {
    Job job;
    {
      MutexLock lock(lane.mutex);
      while (lane.jobs.empty() && !lane.stop) lane.work.Wait(lane.mutex);
      if (lane.jobs.empty()) return;
      job = std::move(lane.jobs.front());
      lane.jobs.pop_front();
    }
    job(absl::OkStatus());
  }
}

}  // namespace heed
