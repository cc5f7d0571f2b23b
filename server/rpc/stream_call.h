// SPDX-License-Identifier: Apache-2.0
// A request whose work is one job of a model, and whose answer is a stream of events that come as the job goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"
#include "server/rpc/cut_off.h"
#include "server/rpc/outbox.h"

namespace heed {

// A stream with `max_events` events that its reader has not taken is parked until half of them are gone. If that takes
// too long for the scheduler, the reader has `last_wait` to take the event that is on its way, and the status.
struct StreamLimits {
  int64_t max_events = 64;
  Clock::duration last_wait{};
};

// Derived classes make the events, in OnTaskOutput. Deletes itself in OnDone.
template <typename Event>
class StreamJobCall : public JobCall, public grpc::ServerWriteReactor<Event> {
 public:
  void OnWriteDone(bool ok) final {
    const Event* write = nullptr;
    std::optional<absl::Status> end;
    {
      MutexLock lock(mutex_);
      outbox_.Written();
      if (!ok) {
        broken_ = true;
        outbox_.Drop();
        Cancel();
      }
      UpdateBacklog();
      write = outbox_.Next();
      if (write == nullptr) end = job_status_;
    }
    if (write != nullptr) {
      this->StartWrite(write);
    } else if (end) {
      this->Finish(End(*end));
    }
  }

  void OnCancel() override { Cancel(); }
  void OnDone() final {
    cut_off_.Disarm();
    delete this;
  }

 protected:
  StreamJobCall(const JobParts& parts, grpc::CallbackServerContext& context, std::string_view method,
                const StreamLimits& limits)
      : JobCall(parts, context, method), last_wait_(limits.last_wait), cut_off_(context), outbox_(limits.max_events) {
    SendOneByOne();
  }

  // In OnTaskOutput; and in Begin, for what needs no job.
  void Send(std::vector<Event> events) EXCLUDES(mutex_) {
    const Event* write = nullptr;
    {
      MutexLock lock(mutex_);
      if (broken_) return;
      sending_job_ = job_;
      for (Event& event : events) outbox_.Add(std::move(event));
      UpdateBacklog();
      write = outbox_.Next();
    }
    if (write != nullptr) this->StartWrite(write);
  }

  void OnWorkDone(const absl::Status& status) final {
    {
      MutexLock lock(mutex_);
      job_status_ = status;
      if (!status.ok()) outbox_.Drop();
      if (absl::IsAborted(status)) cut_off_.After(last_wait_);
      if (outbox_.writing()) return;  // OnWriteDone finishes
    }
    this->Finish(End(status));
  }

 private:
  // With the lock held, so that parking and going on reach the scheduler in the order in which they were decided.
  void UpdateBacklog() REQUIRES(mutex_) {
    if (outbox_.full() && backlogged_job_ != sending_job_) {
      backlogged_job_ = sending_job_;
      scheduler_.SetBacklogged(*backlogged_job_, true);
    } else if (!outbox_.full() && backlogged_job_ != nullptr) {
      scheduler_.SetBacklogged(*std::exchange(backlogged_job_, nullptr), false);
    }
  }

  const Clock::duration last_wait_;
  CutOff cut_off_;

  Mutex mutex_;
  Outbox<Event> outbox_ GUARDED_BY(mutex_);
  std::shared_ptr<Job> sending_job_ GUARDED_BY(mutex_);        // what the last events are of; null: none has begun
  std::shared_ptr<Job> backlogged_job_ GUARDED_BY(mutex_);     // parked; null: none is
  bool broken_ GUARDED_BY(mutex_) = false;                     // a write failed: nobody reads any more
  std::optional<absl::Status> job_status_ GUARDED_BY(mutex_);  // set when the job has ended
};

}  // namespace heed
