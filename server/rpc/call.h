// SPDX-License-Identifier: Apache-2.0
// What every request has in common, whatever its method: its record in the metrics and the log, its deadline, its end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/exception_barrier.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"
#include "server/registry/registry.h"
#include "server/rpc/current_caller.h"
#include "server/scheduling/job.h"
#include "server/scheduling/job_handle.h"
#include "server/scheduling/preparation.h"
#include "server/scheduling/priority.h"
#include "server/scheduling/scheduler.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/request_log.h"

namespace heed {

enum class CallType {
  kRequest,
  kConversation,  // each of its messages is traced as a request of its own (Call::BeginTrace)
  kProbe,         // whether the server lives, or is ready: not traced
  // May stay open for hours without any work. It is counted when it ends, but it is not in flight meanwhile, its time
  // is not measured, and it is not traced.
  kWatch,
};

// One request, from its arrival to its end. All that it is given outlives it.
class Call {
 public:
  // `method`: its full name, "heed.v1.TranslationService/Translate", as metrics, the log and traces have it.
  Call(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method,
       CallType type = CallType::kRequest);
  virtual ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 protected:
  // The status to finish the call with, noted for the record. Nothing of the call is touched after Finish. A refusal
  // for want of room, or of a model that loads, tells the client when to try again, unless `room_may_come` is false.
  grpc::Status End(const absl::Status& status, bool room_may_come = true);

  // The client's deadline, on the scheduler's clock.
  TimePoint deadline() const;
  // What the client's metadata says (heed-priority), else the default. INVALID_ARGUMENT: there is no such level.
  absl::StatusOr<Priority> PriorityOfMetadata() const;
  // Whether the client decides how long the call takes, as in a conversation: then it is never slow.
  virtual bool is_paced_by_client() const { return false; }
  // The registry's model, of those that the caller may use; `version` 0: its default version. UNAVAILABLE: it is not
  // there (yet), which is counted as below.
  absl::StatusOr<ServedModel> LookUp(const Registry& registry, absl::string_view name, int64_t version, ModelKind kind);
  // The model that was asked for is known, but does not serve: a rejection, and model_name() for the record.
  void CountUnavailable(absl::string_view name);
  // Empty while the model is not known, so that a wrong name makes no label.
  virtual std::string_view model_name() const { return {}; }
  // The number of the model's version that answers; 0: none is known.
  virtual int64_t model_version() const { return 0; }
  // Null: without limits. As it was when the call began (server/rpc/current_caller.h).
  const std::shared_ptr<const Caller>& caller() const { return caller_; }
  // The models that the caller may use. Null: all.
  const NamePatterns* allowed_models() const { return caller_ == nullptr ? nullptr : &caller_->models(); }
  bool MayUse(absl::string_view model) const { return caller_ == nullptr || caller_->models().Match(model); }
  // Takes more of the caller's limits than its message was taken for.
  absl::Status TakeMore(const TokenUse& use);
  // What the request, or the message of a stream that is being served, has taken of the caller's limits. End gives it
  // back if it was refused without any work.
  void SetUse(const TokenUse& use) { use_ = use; }
  TokenUse ReleaseUse() { return std::exchange(use_, {}); }
  void GiveBackIfRefused(const absl::Status& status);
  virtual bool has_worked() const { return false; }
  // PERMISSION_DENIED: the caller may not use the model, which was not named but found.
  absl::Status CheckModel(absl::string_view name) const;
  // Adds what the log tells of requests of its kind.
  virtual void Describe(FinishedRequest&) const {}

  // Null: the request is not traced. Constant during a request, from its arrival to its end.
  RequestTrace* trace() const { return trace_.get(); }
  // For each message of a conversation: its trace begins now, if it is to be traced, and ends when its answer was sent,
  // or with the call.
  void BeginTrace();
  void FinishTrace(const absl::Status& status);

  Metrics& metrics_;
  grpc::CallbackServerContext& context_;

 private:
  // Where the request comes from.
  struct Origin {
    std::string peer;
    std::string http_method, http_path;  // empty: not over HTTP
    std::optional<std::string> request_id;
    std::optional<Traceparent> parent;
  };

  // The metadata's value; empty: it is not there, or is there twice, which says nothing.
  absl::string_view OnlyMetadata(const char* key) const;
  Origin OriginOf() const;
  void AddOrigin(FinishedRequest& record) const;
  void BeginTrace(TimePoint start);
  // What the trace tells of the request as a whole.
  void DescribeTrace(const grpc::Status& status);

  RequestLog& requests_;
  const std::string_view method_;
  const CallType type_;
  const std::shared_ptr<const Caller> caller_ = CurrentCaller();
  TokenUse use_ = CurrentUse();
  const TimePoint arrived_;
  grpc::StatusCode code_ = grpc::StatusCode::OK;  // of the thread that ends the call
  std::string model_label_;                       // model_name(), when the call ended
  std::string unavailable_model_;
  // Made by End, if there is a line to write. The context may be gone when it is written.
  RequestInterest interest_;
  std::unique_ptr<FinishedRequest> record_;
  std::unique_ptr<RequestTrace> trace_;
};

// What every request that is a job works with. All of it outlives the request.
struct JobParts {
  RequestLog& requests;
  Scheduler& scheduler;
  Preparation& preparation;
};

// A request whose work is one job of a model, or several, one after the other. Run makes the tasks of the first (Begin)
// and submits them; when a job is done, AfterJob decides how the request goes on; OnWorkDone is the end.
//
// Begin runs on gRPC's thread, or, if the request is large, on one of Preparation's; Next on one of Preparation's;
// OnTaskOutput, AfterJob and OnWorkDone on the executors' (after Resume on Preparation's). None of them overlap, but
// for OnTaskOutput as JobObserver says. Cancel may come at any time.
class JobCall : public Call, public JobObserver {
 public:
  // Once. `bytes`: the size of the request's message. The call may be gone when it returns, unless gRPC is still being
  // given it.
  void Run(int64_t bytes);

 protected:
  using Tasks = std::vector<std::unique_ptr<Task>>;

  JobCall(const JobParts& parts, grpc::CallbackServerContext& context, std::string_view method)
      : Call(parts.requests, context, method),
        scheduler_(parts.scheduler),
        preparation_(parts.preparation),
        handle_(std::make_shared<JobHandle>(parts.scheduler)) {}

  // How a request goes on.
  enum class Progress {
    kDone,   // OnWorkDone
    kMore,   // Next
    kWaits,  // for others, who call Resume; or until the client goes, when the call itself calls Abandon
  };

  // Looks the model up (FindModel), converts and starts the tasks, all of that model. No tasks: this job is done.
  virtual absl::StatusOr<Tasks> Begin() = 0;
  // After a job whose tasks are finished without an error, and after Resume. An error ends the work.
  virtual absl::StatusOr<Progress> AfterJob() { return Progress::kDone; }
  // The tasks of the next job, as Begin makes them.
  virtual absl::StatusOr<Tasks> Next() { return Tasks(); }
  // Bytes from which Next makes tasks, or AfterJob an answer.
  virtual int64_t next_bytes() const { return 0; }
  // Once after each kWaits, on any thread: one of the two. Resume asks AfterJob again, on one of Preparation's threads;
  // Abandon ends the work. The call may be gone when they return.
  void Resume();
  void Abandon(const absl::Status& status);
  // The last call, exactly once: with the job's end as JobObserver::OnJobDone reports it, OK if there was nothing to
  // do, or the reason why there was no job.
  virtual void OnWorkDone(const absl::Status& status) = 0;

  // The request's own priority and end, in place of the metadata's and beside the client's deadline. Before FindModel,
  // if they are to count there.
  void SetPriority(Priority priority) { priority_ = priority; }
  void EndBy(TimePoint latest) { latest_ = latest; }
  // Of a request that was accepted before its work was known, or may take several jobs: these are taken while new
  // requests are refused. Before Run, or in Begin.
  void SetAdmission(std::unique_ptr<Scheduler::Admission> admission) { admission_ = std::move(admission); }
  // The tasks' answers are sent one by one, so that each of them may be as large as an answer.
  void SendOneByOne() { one_by_one_ = true; }
  // Looks the model up and keeps it. Refuses what Submit would refuse, before the request is converted and tokenized.
  absl::Status FindModel(const Registry& registry, absl::string_view name, int64_t version, ModelKind kind);
  // The same for a model that was looked up.
  absl::Status TakeModel(ServedModel served);
  // For the Start of the model that was found: what a request may hold, and whether there is still somebody to answer.
  StartLimits LimitsOfStart() const;
  // Adds to what the answer has come to. Beyond the limit the job ends with RESOURCE_EXHAUSTED. In OnTaskOutput.
  void CountAnswer(int64_t bytes);
  // RESOURCE_EXHAUSTED: an answer of the model may not take `bytes`.
  absl::Status CheckAnswer(int64_t bytes) const;
  // RESOURCE_EXHAUSTED: the response is larger than an answer of the model may be.
  absl::Status CheckSize(const google::protobuf::MessageLite& response) const;
  // The client has gone.
  void Cancel() { handle_->Cancel(); }

  // The model that was found, as the interface of its kind.
  template <typename T>
  const T& model_as() const {
    return ModelAs<T>(*model_);
  }

  bool has_job() const { return job_ != nullptr; }
  bool has_worked() const override { return has_job() || times_.has_value(); }
  // The tasks of the last job; none if there was nothing to do.
  absl::Span<const std::unique_ptr<Task>> tasks() const {
    return has_job() ? absl::MakeConstSpan(job_->tasks) : absl::Span<const std::unique_ptr<Task>>();
  }
  void Describe(FinishedRequest& record) const override;
  // What a trace tells of the work of the job that has just ended.
  virtual std::vector<SpanAttribute> DescribeWork() const { return {}; }
  std::string_view model_name() const override { return model_ == nullptr ? std::string_view() : model_->spec().name; }

  // After TakeModel.
  Priority priority() const { return *priority_; }
  int64_t model_version() const override { return model_version_; }

  Scheduler& scheduler_;
  // Constant once Begin, or Next, has returned.
  std::shared_ptr<const Model> model_;
  // The last one. Constant once the scheduler has it; null: the request was refused, or there was nothing to do.
  std::shared_ptr<Job> job_;

 private:
  // Begin or Next, and what follows from it.
  void RunNow();
  // After a job that ended well, or had no tasks.
  void Proceed();
  // After kWaits: until now the request has waited for others.
  void TraceWait();
  // Calls OnWorkDone.
  void EndWork(const absl::Status& status);
  // OK: the job was accepted; its end may already have come, and the call be gone. Otherwise it never comes.
  absl::Status Submit(Tasks tasks);
  void OnJobDone(const absl::Status& status, const JobTimes& times) final;
  // The job, as far as it is known without its tasks.
  Job NewJob();
  int64_t max_answer_bytes() const { return scheduler_.LimitsOf(model_name()).max_answer_bytes; }

  Preparation& preparation_;
  // Shared with the thread that submits the job: the call may end before Submit has returned.
  const std::shared_ptr<JobHandle> handle_;
  int64_t model_version_ = 0;         // 0 while there is no model
  bool begun_ = false;                // Begin was called: Next is what follows
  TimePoint waits_since_;             // of a request that is traced: when AfterJob was asked the last time
  std::optional<JobTimes> times_;     // set when a job has ended: from the first one's start to the last one's end
  int64_t task_count_ = 0;            // of the jobs that ended
  std::optional<Priority> priority_;  // set by TakeModel if not before
  TimePoint latest_ = kNoDeadline;
  bool one_by_one_ = false;
  std::unique_ptr<Scheduler::Admission> admission_;
  std::atomic<int64_t> answer_bytes_ = 0;
};

// One with one response. `Base`: a JobCall.
template <typename Response, typename Base = JobCall>
class UnaryJobCall : public Base, public grpc::ServerUnaryReactor {
 public:
  void OnTaskOutput(int, Task&) override {}
  void OnCancel() override { this->Cancel(); }
  void OnDone() override { delete this; }

 protected:
  UnaryJobCall(const JobParts& parts, grpc::CallbackServerContext& context, Response& response, std::string_view method)
      : Base(parts, context, method), response_(response) {}
  // `arguments`: of Base's constructor.
  template <typename... Arguments>
  explicit UnaryJobCall(Response& response, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...), response_(response) {}

  // All tasks are finished without an error.
  virtual void Respond(Response& response) = 0;
  // For a request that is refused for want of room: whether there may be some soon.
  virtual bool room_may_come() const { return true; }

 private:
  void OnWorkDone(const absl::Status& status) final {
    absl::Status result = status;
    if (result.ok()) {
      result = WithoutExceptions([this] {
        Respond(response_);
        return this->CheckSize(response_);
      });
    }
    this->Finish(this->End(result, room_may_come()));
  }

  Response& response_;
};

}  // namespace heed
