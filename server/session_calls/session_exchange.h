// SPDX-License-Identifier: Apache-2.0
// One request on a session, from the look-up of the session to its answer: facts that are told, texts that are read.
//
// An exchange that changes the session takes its lease, lets the model go on from its state, and puts the next state in
// its place; one that does not takes the state, and several do so beside each other. What fails or is cancelled on the
// way leaves the session as it was; what was put in its place stays there, even if nobody hears of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/scheduling/job.h"
#include "server/scheduling/job_handle.h"
#include "server/scheduling/scheduler.h"
#include "server/session_calls/session_parts.h"
#include "server/session_calls/session_work.h"
#include "server/telemetry/tracer.h"

namespace heed {

struct ExchangeRequest {
  std::string session;
  std::optional<int64_t> expected_version;
  std::string request_id;  // of a change; empty: it has no name
  TimePoint deadline = kNoDeadline;
  Priority priority = kDefaultPriority;
  RequestTrace* trace = nullptr;  // that it is a part of, and which lives until it is done; null: it is not traced
  std::shared_ptr<const Caller> caller;  // whose models the session's must be one of; null: of all
  TokenUse use;                          // of the caller's limits: given back if the exchange is refused
};

// Keeps itself alive from Run until `done` was called. Thread-safe.
class SessionExchange : public JobObserver, public std::enable_shared_from_this<SessionExchange> {
 public:
  // OK: the work's response is complete.
  using Done = std::function<void(const absl::Status&)>;

  // `done` is called once, by Run or later by another thread.
  SessionExchange(const SessionParts& parts, ExchangeRequest request, std::unique_ptr<SessionWork> work, Done done);

  // Once.
  void Run();
  // The client has gone.
  void Cancel();

  // For `done`.
  SessionWork& work() const { return *work_; }
  // For `done`: the session's model; empty while no session was found.
  std::string_view model_name() const { return model_name_; }

  // The scheduler's.
  void OnTaskOutput(int, Task& task) override;
  void OnJobDone(const absl::Status& status, const JobTimes& times) override;

 private:
  // The answer that the session remembers of this exchange's name was put into the response, or cannot be; nothing: it
  // has not come before.
  std::optional<absl::Status> TakeRecorded() const;
  // The steps, in order. The session was found, or leased:
  void OnSession();
  // The model goes on from the session.
  absl::Status Compute();
  // The response is not too large, neither to be sent nor to be kept.
  absl::Status CheckResponse() const;
  // The next state takes the place of the leased one.
  void Commit(std::shared_ptr<const State> next);
  std::string RecordOf(const Session& session) const;
  // Lets go of the session and calls `done`.
  void End(const absl::Status& status);
  // Adds to the trace what has taken from since_ until now, and goes on from here.
  void TracePart(std::string_view name);
  const Session& session() const { return lease_ == nullptr ? *found_ : lease_->session(); }

  const SessionParts parts_;
  const ExchangeRequest request_;
  const std::unique_ptr<SessionWork> work_;
  Done done_;
  std::atomic<bool> cancelled_ = false;

  // Each is of the thread whose turn it is: the caller's, the store's, the preparation's, the scheduler's.
  std::unique_ptr<Scheduler::Admission> admission_;
  SessionStore::Found found_;            // of one that does not change the session
  std::unique_ptr<SessionLease> lease_;  // of one that does
  std::string model_name_;
  std::shared_ptr<const StatefulModel> model_;
  // Of one that is traced: when its present part began, and its job until that has ended.
  TimePoint since_;
  std::shared_ptr<const Job> job_;
  std::shared_ptr<SessionExchange> self_;  // while the scheduler has the job
  bool worked_ = false;                    // a job has ended
  JobHandle handle_;
};

}  // namespace heed
