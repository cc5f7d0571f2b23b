// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/call.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/rpc/in_process_caller.h"
#include "server/rpc/job_trace.h"
#include "server/rpc/status.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// Of the client's metadata.
constexpr char kPriorityKey[] = "heed-priority";

// Whether a request that ends so fails by the server's fault.
bool IsFault(grpc::StatusCode code) {
  return code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::DATA_LOSS;
}

}  // namespace

Call::Call(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method, CallType type)
    : metrics_(requests.metrics()),
      context_(context),
      requests_(requests),
      method_(method),
      type_(type),
      arrived_(Clock::now()) {
  if (type_ == CallType::kWatch) return;
  requests_.Begin();
  metrics_.Increment(Metric::kRequestsInFlight, {method_}, 1);
  if (type_ == CallType::kRequest) BeginTrace(arrived_);
}

Call::~Call() {
  const TimePoint now = Clock::now();
  const double seconds = ToSeconds(now - arrived_);
  if (trace_ != nullptr) trace_->Finish(now);
  metrics_.Add(Metric::kRequests, {method_, model_label_, CodeName(code_)});
  if (type_ != CallType::kWatch) metrics_.Observe(Metric::kRequestSeconds, {method_, model_label_}, seconds);
  if (record_ != nullptr) {
    record_->seconds = seconds;
    requests_.Write(interest_, *record_);
  }
  if (type_ == CallType::kWatch) return;
  metrics_.Increment(Metric::kRequestsInFlight, {method_}, -1);  // last: whoever sees none in flight sees all counted
  requests_.End();
}

grpc::Status Call::End(const absl::Status& status, bool room_may_come) {
  if (room_may_come) GiveBackIfRefused(status);
  grpc::Status result = ToGrpcStatus(status);
  code_ = result.error_code();
  model_label_ = model_name().empty() ? unavailable_model_ : std::string(model_name());
  if (room_may_come) AddRetryHint(status, result, context_);
  interest_ =
      requests_.InterestIn(is_paced_by_client() ? Clock::duration::zero() : Clock::now() - arrived_, IsFault(code_));
  if (interest_.any()) {
    record_ = std::make_unique<FinishedRequest>();
    record_->method = method_;
    record_->model = model_label_;
    record_->code = CodeName(code_);
    record_->message = result.error_message();
    AddOrigin(*record_);
    Describe(*record_);
  }
  if (type_ == CallType::kConversation && !status.ok() && trace_ == nullptr) BeginTrace();
  if (trace_ != nullptr) DescribeTrace(result);
  return result;
}

absl::string_view Call::OnlyMetadata(const char* key) const {
  const auto [begin, end] = context_.client_metadata().equal_range(key);
  if (begin == end || std::next(begin) != end) return {};
  return {begin->second.data(), begin->second.size()};
}

Call::Origin Call::OriginOf() const {
  Origin origin;
  if (std::optional<HttpCaller> caller = SignedCaller(OnlyMetadata(kInProcessCallerKey))) {
    origin.peer = std::move(caller->peer);
    origin.http_method = std::move(caller->method);
    origin.http_path = std::move(caller->path);
  } else {
    origin.peer = context_.peer();
  }
  origin.request_id = ParseRequestId(OnlyMetadata(kRequestIdKey));
  origin.parent = ParseTraceparent(OnlyMetadata(kTraceparentKey));
  return origin;
}

void Call::AddOrigin(FinishedRequest& record) const {
  Origin origin = OriginOf();
  record.peer = std::move(origin.peer);
  record.request_id = std::move(origin.request_id);
  if (origin.parent) {
    record.trace_id = std::move(origin.parent->trace_id);
    record.parent_id = std::move(origin.parent->parent_id);
  }
  if (trace_ == nullptr) return;
  record.trace_id = HexOf(trace_->spans().trace_id);
  record.span_id = HexOf(trace_->spans().id);
}

void Call::BeginTrace() { BeginTrace(Clock::now()); }

void Call::BeginTrace(TimePoint start) {
  Tracer* const tracer = requests_.tracer();
  if (tracer == nullptr) return;
  trace_ = tracer->Begin(method_, ParseTraceparent(OnlyMetadata(kTraceparentKey)), OnlyMetadata(kTracestateKey), start);
}

void Call::FinishTrace(const absl::Status& status) {
  if (trace_ == nullptr) return;
  DescribeTrace(ToGrpcStatus(status));
  trace_->Finish(Clock::now());
  trace_ = nullptr;
}

void Call::DescribeTrace(const grpc::Status& status) {
  Origin origin = OriginOf();
  trace_->SetOrigin(std::move(origin.peer), origin.request_id.value_or(""), std::move(origin.http_method),
                    std::move(origin.http_path));
  trace_->SetEnd(status.error_code(), status.error_message(),
                 model_name().empty() ? std::string_view(unavailable_model_) : model_name(), model_version());
}

TimePoint Call::deadline() const {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return kNoDeadline;
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(deadline - std::chrono::system_clock::now());
}

absl::StatusOr<Priority> Call::PriorityOfMetadata() const {
  const auto [begin, end] = context_.client_metadata().equal_range(kPriorityKey);
  if (begin == end) return kDefaultPriority;
  if (std::next(begin) != end) return absl::InvalidArgumentError(absl::StrCat(kPriorityKey, ": is given twice"));
  return ParsePriority(kPriorityKey, absl::string_view(begin->second.data(), begin->second.size()));
}

absl::StatusOr<ServedModel> Call::LookUp(const Registry& registry, absl::string_view name, int64_t version,
                                         ModelKind kind) {
  absl::StatusOr<ServedModel> served = registry.FindServed(name, version, kind, allowed_models());
  if (absl::IsUnavailable(served.status())) CountUnavailable(name);
  return served;
}

absl::Status Call::TakeMore(const TokenUse& use) {
  if (caller_ == nullptr) return absl::OkStatus();
  HEED_RETURN_IF_ERROR(caller_->Take(use));
  use_.requests += use.requests;
  use_.characters += use.characters;
  return absl::OkStatus();
}

void Call::GiveBackIfRefused(const absl::Status& status) {
  const TokenUse use = ReleaseUse();
  if (caller_ != nullptr && !has_worked()) caller_->GiveBackIfRefused(use, status);
}

absl::Status Call::CheckModel(absl::string_view name) const {
  return caller_ == nullptr ? absl::OkStatus() : caller_->CheckModel(name);
}

void Call::CountUnavailable(absl::string_view name) {
  unavailable_model_ = std::string(name);
  metrics_.Add(Metric::kRejections, {unavailable_model_, "model_unavailable"});
}

absl::Status JobCall::FindModel(const Registry& registry, absl::string_view name, int64_t version, ModelKind kind) {
  HEED_ASSIGN_OR_RETURN(ServedModel served, LookUp(registry, name, version, kind));
  return TakeModel(std::move(served));
}

absl::Status JobCall::TakeModel(ServedModel served) {
  HEED_RETURN_IF_ERROR(CheckModel(served.model->spec().name));
  HEED_ASSIGN_OR_RETURN(const Priority priority, PriorityOfMetadata());
  if (!priority_) priority_ = priority;
  model_ = std::move(served.model);
  model_version_ = served.version;
  return scheduler_.CheckRoom(NewJob());
}

void JobCall::Run(int64_t bytes) {
  if (const absl::Status status = preparation_.Run(bytes, [this] { RunNow(); }); !status.ok()) EndWork(status);
}

void JobCall::RunNow() {
  const TimePoint start = trace() == nullptr ? TimePoint() : Clock::now();
  absl::StatusOr<Tasks> tasks = WithoutExceptions([this] { return std::exchange(begun_, true) ? Next() : Begin(); });
  if (trace() != nullptr) trace()->Add(PartOf("prepare", start, Clock::now(), model_name()));
  if (!tasks.ok()) return EndWork(tasks.status());
  if (tasks->empty()) return Proceed();
  answer_bytes_ = 0;  // what came of an earlier job is no part of the answer
  if (const absl::Status status = Submit(*std::move(tasks)); !status.ok()) EndWork(status);
}

void JobCall::Proceed() {
  if (trace() != nullptr) waits_since_ = Clock::now();
  absl::StatusOr<Progress> progress = WithoutExceptions([this] { return AfterJob(); });
  if (!progress.ok()) return EndWork(progress.status());
  switch (*progress) {
    case Progress::kDone:
      return EndWork(absl::OkStatus());
    case Progress::kMore:
      return preparation_.RunApart(next_bytes(), [this] { RunNow(); });
    case Progress::kWaits:
      return;
  }
}

void JobCall::Resume() {
  TraceWait();
  preparation_.RunApart(next_bytes(), [this] { Proceed(); });
}

void JobCall::Abandon(const absl::Status& status) {
  TraceWait();
  EndWork(status);
}

void JobCall::TraceWait() {
  if (trace() == nullptr) return;
  RequestPart wait = PartOf("wait", waits_since_, Clock::now(), model_name());
  wait.attributes.emplace_back("heed.wait_for", std::string("sentences of other requests"));
  trace()->Add(std::move(wait));
}

void JobCall::EndWork(const absl::Status& status) {
  admission_ = nullptr;
  if (trace() != nullptr) trace()->BeginAnswer(Clock::now());
  OnWorkDone(status);
}

absl::Status JobCall::Submit(Tasks tasks) {
  auto job = std::make_shared<Job>(NewJob());
  job->tasks = std::move(tasks);
  job_ = job;
  const std::shared_ptr<JobHandle> handle = handle_;  // the call may be gone when Submit returns
  absl::Status status = handle->Submit(std::move(job));
  if (!status.ok()) job_ = nullptr;
  return status;
}

void JobCall::OnJobDone(const absl::Status& status, const JobTimes& times) {
  if (!times_) {
    times_ = times;
  } else {
    times_->done = times.done;
  }
  task_count_ += static_cast<int64_t>(job_->tasks.size());
  if (trace() != nullptr) AddJobParts(*job_, times, DescribeWork(), *trace());
  if (!status.ok()) return EndWork(status);
  Proceed();
}

StartLimits JobCall::LimitsOfStart() const {
  const BatchLimits& limits = scheduler_.LimitsOf(model_name());
  auto check = [this, last = std::min(deadline(), latest_)] {
    if (Clock::now() >= last) return absl::DeadlineExceededError("the deadline passed before the request was done");
    if (context_.IsCancelled()) return absl::CancelledError("the client cancelled the request");
    return absl::OkStatus();
  };
  return {limits.max_queued_tasks, limits.max_queued_rows, std::move(check)};
}

void JobCall::CountAnswer(int64_t bytes) {
  const int64_t sum = answer_bytes_.fetch_add(bytes) + bytes;
  if (sum > max_answer_bytes()) scheduler_.End(*job_, AnswerTooLarge(sum, max_answer_bytes()));
}

absl::Status JobCall::CheckAnswer(int64_t bytes) const {
  return bytes <= max_answer_bytes() ? absl::OkStatus() : AnswerTooLarge(bytes, max_answer_bytes());
}

absl::Status JobCall::CheckSize(const google::protobuf::MessageLite& response) const {
  return CheckAnswer(static_cast<int64_t>(response.ByteSizeLong()));
}

void JobCall::Describe(FinishedRequest& record) const {
  if (!times_) return;
  const TimePoint done = times_->done.value_or(Clock::now());
  record.queue_seconds = ToSeconds(times_->started.value_or(done) - times_->submitted);
  if (times_->first_output) record.first_output_seconds = ToSeconds(*times_->first_output - times_->submitted);
  if (times_->started) record.work_seconds = ToSeconds(done - *times_->started);
  record.tasks = task_count_;
}

Job JobCall::NewJob() {
  Job job;
  job.model = model_;
  job.deadline = std::min(deadline(), latest_);
  job.priority = *priority_;
  job.observer = this;
  job.one_by_one = one_by_one_;
  job.admitted = admission_ != nullptr;
  job.continued = times_.has_value();
  return job;
}

}  // namespace heed
