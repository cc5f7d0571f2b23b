// SPDX-License-Identifier: Apache-2.0
// Facts told or questions asked in a session, as Tell, Ask and each message of a Chat do it.
//
// An exchange that changes the session (facts, or a commit) takes its lease, lets the model go on from its state, and
// puts the next state in its place; one that only asks takes the state, and several do so beside each other. What fails
// or is cancelled on the way leaves the session as it was; what was put in its place stays there, even if nobody hears
// of it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "heed/v1/questions.pb.h"
#include "models/kinds/question_answerer.h"
#include "server/messages/message_check.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"
#include "server/scheduling/job.h"
#include "server/scheduling/job_handle.h"
#include "server/scheduling/scheduler.h"
#include "server/sessions/session_store.h"
#include "server/telemetry/request_log.h"

namespace heed {

// What the methods of question answering work with. All of it outlives them.
struct QuestionParts {
  const Registry& registry;
  Scheduler& scheduler;
  SessionStore& store;
  RequestLog& requests;
  Preparation& preparation;
  MessageLimits message_limits;

  JobParts jobs() const { return {requests, scheduler, preparation}; }
};

// A new session of the model, which is one for questions.
void CreateSession(const QuestionParts& parts, std::shared_ptr<const Model> model,
                   SessionStore::Done<SessionStore::Found> done);

// The session as the wire has it, with the number of the model's version that has its weights now.
v1::QuestionSession SessionToProto(const QuestionParts& parts, const Session& session);

struct ExchangeRequest {
  std::string session;
  std::optional<int64_t> expected_version;
  std::string request_id;  // of a change; empty: it has no name
  StoryRequest story;      // all but its state, which is the session's
  TimePoint deadline = kNoDeadline;
  Priority priority = kDefaultPriority;
};

// Response: v1::TellResponse or v1::AskResponse. Keeps itself alive from Run until `done` was called. Thread-safe.
template <typename Response>
class Exchange : public JobObserver, public std::enable_shared_from_this<Exchange<Response>> {
 public:
  using Done = std::function<void(absl::StatusOr<Response>)>;

  // `done` is called once, by Run or later by another thread.
  Exchange(const QuestionParts& parts, ExchangeRequest request, Done done);

  // Once.
  void Run();
  // The client has gone.
  void Cancel() { handle_.Cancel(); }

  // For `done`: the session's model; empty while no session was found.
  std::string_view model_name() const { return model_name_; }
  // For `done`: if it was refused for want of room, there may be some soon.
  bool room_may_come() const { return room_may_come_; }

  // The scheduler's.
  void OnTaskOutput(int, Task&) override {}
  void OnJobDone(const absl::Status& status, const JobTimes& times) override;

 private:
  // The answer that the session remembers of this exchange's name; nothing: it has not come before.
  std::optional<absl::StatusOr<Response>> Recorded() const;
  // The steps, in order. The session was found, or leased:
  void OnFound(absl::StatusOr<SessionStore::Found> found);
  void OnLease(absl::StatusOr<std::unique_ptr<SessionLease>> lease);
  // The model goes on from `session`, which is there until OnJobDone.
  absl::Status Compute(const Session& session);
  // The next state takes the place of the leased one.
  void Commit();
  Response ResponseOf(const Session& session) const;
  std::string RecordOf(const Session& session) const;
  // Lets go of the session and calls `done`.
  void End(absl::StatusOr<Response> response);

  const QuestionParts parts_;
  const bool changes_;  // the session
  ExchangeRequest request_;
  Done done_;

  // Each is of the thread whose turn it is: the caller's, the store's, the scheduler's.
  std::unique_ptr<Scheduler::Admission> admission_;
  SessionStore::Found found_;            // of one that only asks
  std::unique_ptr<SessionLease> lease_;  // of one that changes the session
  std::string model_name_;
  std::shared_ptr<const QuestionAnswerer> model_;
  const StoryTask* task_ = nullptr;  // of the job
  bool room_may_come_ = true;
  std::shared_ptr<Exchange> self_;  // while the scheduler has the job
  JobHandle handle_;
};

}  // namespace heed
