// SPDX-License-Identifier: Apache-2.0
#include "server/session_calls/session_exchange.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/exception_barrier.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/any.pb.h"
#include "server/rpc/job_trace.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// Of an answer that a session keeps for one request_id.
constexpr int64_t kMaxRecordBytes = 256 << 10;

}  // namespace

SessionExchange::SessionExchange(const SessionParts& parts, ExchangeRequest request, std::unique_ptr<SessionWork> work,
                                 Done done)
    : parts_(parts),
      request_(std::move(request)),
      work_(std::move(work)),
      done_(std::move(done)),
      handle_(parts.scheduler) {}

void SessionExchange::Run() {
  auto self = shared_from_this();
  if (request_.trace != nullptr) since_ = Clock::now();
  auto admission = parts_.scheduler.Admit();
  if (!admission.ok()) return End(admission.status());
  admission_ = *std::move(admission);
  if (work_->changes()) {
    parts_.store.Lease(request_.session, work_->kind(), request_.expected_version, request_.request_id,
                       [self](absl::StatusOr<std::unique_ptr<SessionLease>> lease) {
                         if (!lease.ok()) return self->End(lease.status());
                         self->lease_ = *std::move(lease);
                         self->OnSession();
                       });
  } else {
    parts_.store.Find(request_.session, work_->kind(), request_.expected_version,
                      [self](absl::StatusOr<SessionStore::Found> found) {
                        if (!found.ok()) return self->End(found.status());
                        self->found_ = *std::move(found);
                        self->OnSession();
                      });
  }
}

void SessionExchange::Cancel() {
  cancelled_ = true;
  handle_.Cancel();
}

void SessionExchange::OnSession() {
  if (request_.caller != nullptr) {
    if (const absl::Status status = request_.caller->CheckModel(session().model_name); !status.ok()) return End(status);
  }
  model_name_ = session().model_name;
  TracePart("find session");
  if (const auto recorded = TakeRecorded()) return End(*recorded);
  const auto compute = [self = shared_from_this()] {
    const absl::Status status = WithoutExceptions([&] { return self->Compute(); });
    if (!status.ok()) self->End(status);
  };
  if (const absl::Status status = parts_.preparation.Run(work_->bytes(), compute); !status.ok()) End(status);
}

std::optional<absl::Status> SessionExchange::TakeRecorded() const {
  if (request_.request_id.empty() || !work_->changes()) return std::nullopt;
  const RequestRecord* record = session().FindRecord(request_.request_id);
  if (record == nullptr) return std::nullopt;
  google::protobuf::Any any;
  if (!any.ParseFromString(record->response) || !any.UnpackTo(&work_->response())) {
    return InvalidField("request_id", "\"", request_.request_id, "\" was that of a request of the other kind");
  }
  work_->SetRepeated();
  return absl::OkStatus();
}

absl::Status SessionExchange::Compute() {
  HEED_ASSIGN_OR_RETURN(model_, parts_.store.ModelOf(session()));
  auto job = std::make_shared<Job>();
  job->model = model_;
  job->deadline = request_.deadline;
  job->priority = request_.priority;
  job->admitted = true;
  job->observer = this;
  HEED_RETURN_IF_ERROR(parts_.scheduler.CheckRoom(*job));
  const BatchLimits& limits = parts_.scheduler.LimitsOf(model_name_);
  auto check = [this] {
    if (Clock::now() >= request_.deadline) {
      return absl::DeadlineExceededError("the deadline passed before the request was done");
    }
    return cancelled_ ? absl::CancelledError("the client cancelled the request") : absl::OkStatus();
  };
  HEED_ASSIGN_OR_RETURN(job->tasks,
                        work_->Start(*model_, session(), {limits.max_queued_tasks, limits.max_queued_rows, check}));
  TracePart("prepare");
  const auto self = shared_from_this();  // its end may come before Submit returns
  self_ = self;
  if (request_.trace != nullptr) job_ = job;
  absl::Status status = handle_.Submit(std::move(job));
  if (!status.ok()) self_ = nullptr;
  return status;
}

void SessionExchange::OnTaskOutput(int, Task& task) {
  if (task.finished()) work_->OnTaskDone(task, model_name_, parts_.requests.metrics());
}

void SessionExchange::OnJobDone(const absl::Status& status, const JobTimes& times) {
  const auto self = std::move(self_);
  worked_ = true;
  if (request_.trace != nullptr) {
    AddJobParts(*std::exchange(job_, nullptr), times, {}, *request_.trace);
    since_ = Clock::now();
  }
  if (!status.ok()) return End(status);
  std::shared_ptr<const State> next;
  const absl::Status answered = WithoutExceptions([&]() -> absl::Status {
    HEED_ASSIGN_OR_RETURN(next, work_->NextState());
    work_->Respond();
    work_->SetSession(parts_, session());
    return CheckResponse();
  });
  if (!answered.ok() || !work_->changes()) return End(answered);
  Commit(std::move(next));
}

absl::Status SessionExchange::CheckResponse() const {
  const auto bytes = static_cast<int64_t>(work_->response().ByteSizeLong());
  const int64_t most = parts_.scheduler.LimitsOf(model_name_).max_answer_bytes;
  if (bytes > most) return AnswerTooLarge(bytes, most);
  if (work_->changes() && !request_.request_id.empty() && bytes > kMaxRecordBytes) {
    return SessionFull(absl::ResourceExhaustedError(
        absl::StrCat("request_id: the session would have to keep an answer of ", bytes, " bytes, at most ",
                     kMaxRecordBytes, ": ask for less at a time, or in less detail")));
  }
  return absl::OkStatus();
}

void SessionExchange::Commit(std::shared_ptr<const State> next) {
  const auto self = shared_from_this();
  parts_.store.Commit(
      std::move(lease_), std::move(next), request_.request_id,
      [self](const Session& session) { return self->RecordOf(session); },
      [self](absl::StatusOr<SessionStore::Found> committed) {
        self->TracePart("store session");
        if (!committed.ok()) return self->End(committed.status());
        self->work_->SetSession(self->parts_, **committed);
        self->End(absl::OkStatus());
      });
}

// With its type, as one name may come in requests of several methods.
std::string SessionExchange::RecordOf(const Session& session) const {
  work_->SetSession(parts_, session);
  google::protobuf::Any any;
  any.PackFrom(work_->response());
  return any.SerializeAsString();
}

void SessionExchange::TracePart(std::string_view name) {
  if (request_.trace == nullptr) return;
  const TimePoint now = Clock::now();
  request_.trace->Add(PartOf(name, since_, now, model_name_));
  since_ = now;
}

void SessionExchange::End(const absl::Status& status) {
  if (request_.caller != nullptr && !worked_) request_.caller->GiveBackIfRefused(request_.use, status);
  if (request_.trace != nullptr) request_.trace->BeginAnswer(Clock::now());
  lease_ = nullptr;  // before the client hears of it and tries again
  admission_ = nullptr;
  std::exchange(done_, nullptr)(status);
}

}  // namespace heed
