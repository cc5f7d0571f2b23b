// SPDX-License-Identifier: Apache-2.0
#include "server/services/question_exchange.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/any.pb.h"
#include "server/messages/question_messages.h"

namespace heed {

void CreateSession(const QuestionParts& parts, std::shared_ptr<const Model> model,
                   SessionStore::Done<SessionStore::Found> done) {
  auto answerer = ModelAs<QuestionAnswerer>(std::move(model));
  auto state = answerer->NewState();
  parts.store.Create(std::move(answerer), std::move(state), std::move(done));
}

v1::QuestionSession SessionToProto(const QuestionParts& parts, const Session& session) {
  return ToProto(session, parts.registry.VersionOf(session.model_name, session.fingerprint),
                 parts.store.options().idle_limit);
}

template <typename Response>
Exchange<Response>::Exchange(const QuestionParts& parts, ExchangeRequest request, Done done)
    : parts_(parts),
      changes_(!request.story.facts.empty() || request.story.commit),
      request_(std::move(request)),
      done_(std::move(done)),
      handle_(parts.scheduler) {}

template <typename Response>
void Exchange<Response>::Run() {
  auto self = this->shared_from_this();
  auto admission = parts_.scheduler.Admit();
  if (!admission.ok()) return End(admission.status());
  admission_ = *std::move(admission);
  if (changes_) {
    parts_.store.Lease(
        request_.session, request_.expected_version, request_.request_id,
        [self](absl::StatusOr<std::unique_ptr<SessionLease>> lease) { self->OnLease(std::move(lease)); });
  } else {
    parts_.store.Find(request_.session, request_.expected_version,
                      [self](absl::StatusOr<SessionStore::Found> found) { self->OnFound(std::move(found)); });
  }
}

template <typename Response>
void Exchange<Response>::OnLease(absl::StatusOr<std::unique_ptr<SessionLease>> lease) {
  if (!lease.ok()) return End(lease.status());
  lease_ = *std::move(lease);
  if (auto recorded = Recorded()) return End(*std::move(recorded));
  const auto self = this->shared_from_this();
  if (const absl::Status status = Compute(lease_->session()); !status.ok()) End(status);
}

template <typename Response>
void Exchange<Response>::OnFound(absl::StatusOr<SessionStore::Found> found) {
  if (!found.ok()) return End(found.status());
  found_ = *std::move(found);
  const auto self = this->shared_from_this();
  if (const absl::Status status = Compute(*found_); !status.ok()) End(status);
}

template <typename Response>
std::optional<absl::StatusOr<Response>> Exchange<Response>::Recorded() const {
  if (request_.request_id.empty()) return std::nullopt;
  const RequestRecord* record = lease_->session().FindRecord(request_.request_id);
  if (record == nullptr) return std::nullopt;
  google::protobuf::Any any;
  Response response;
  if (!any.ParseFromString(record->response) || !any.UnpackTo(&response)) {
    return InvalidField("request_id", "\"", request_.request_id, "\" was that of a request of the other kind");
  }
  response.set_repeated_request(true);
  return response;
}

template <typename Response>
absl::Status Exchange<Response>::Compute(const Session& session) {
  model_name_ = session.model_name;
  const auto more = static_cast<int64_t>(request_.story.facts.size());
  const int64_t most = parts_.store.options().max_facts;
  if (more > 0 && session.state->units() + more > most) {
    room_may_come_ = false;
    return absl::ResourceExhaustedError(absl::StrCat("facts: the session would have ", session.state->units() + more,
                                                     ", at most --session_facts=", most));
  }
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const StatefulModel> model, parts_.store.ModelOf(session));
  model_ = ModelAs<QuestionAnswerer>(std::move(model));
  auto job = std::make_shared<Job>();
  job->model = model_;
  job->deadline = request_.deadline;
  job->priority = request_.priority;
  job->admitted = true;
  job->observer = this;
  HEED_RETURN_IF_ERROR(parts_.scheduler.CheckRoom(*job));
  request_.story.state = session.state;
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<StoryTask> task, model_->Start(std::move(request_.story)));
  task_ = task.get();
  job->tasks.push_back(std::move(task));
  const auto self = this->shared_from_this();  // its end may come before Submit returns
  self_ = self;
  absl::Status status = handle_.Submit(std::move(job));
  if (!status.ok()) self_ = nullptr;
  return status;
}

template <typename Response>
void Exchange<Response>::OnJobDone(const absl::Status& status, const JobTimes&) {
  const auto self = std::move(self_);
  if (!status.ok()) return End(status);
  if (!changes_) return End(ResponseOf(*found_));
  Commit();
}

template <typename Response>
void Exchange<Response>::Commit() {
  const auto self = this->shared_from_this();
  parts_.store.Commit(
      std::move(lease_), task_->state(), request_.request_id,
      [self](const Session& session) { return self->RecordOf(session); },
      [self](absl::StatusOr<SessionStore::Found> next) {
        if (!next.ok()) return self->End(next.status());
        self->End(self->ResponseOf(**next));
      });
}

template <typename Response>
Response Exchange<Response>::ResponseOf(const Session& session) const {
  Response response;
  *response.mutable_session() = SessionToProto(parts_, session);
  Fill(*task_, *model_, response);
  return response;
}

// With its type, as one name may come in requests of both kinds.
template <typename Response>
std::string Exchange<Response>::RecordOf(const Session& session) const {
  google::protobuf::Any any;
  any.PackFrom(ResponseOf(session));
  return any.SerializeAsString();
}

template <typename Response>
void Exchange<Response>::End(absl::StatusOr<Response> response) {
  lease_ = nullptr;  // before the client hears of it and tries again
  admission_ = nullptr;
  std::exchange(done_, nullptr)(std::move(response));
}

template class Exchange<v1::TellResponse>;
template class Exchange<v1::AskResponse>;

}  // namespace heed
