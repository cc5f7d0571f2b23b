// What every request has in common, whatever its method: its record in the metrics and the log, its deadline, its end.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "server/job.h"
#include "server/metrics.h"
#include "server/priority.h"
#include "server/registry.h"
#include "server/request_log.h"
#include "server/scheduler.h"

namespace heed {

// One request, from its arrival to its end. All that it is given outlives it.
class Call {
 public:
  Call(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method);
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
  // The registry's model. UNAVAILABLE: it is not there (yet), which is counted as below.
  absl::StatusOr<std::shared_ptr<const Model>> LookUp(const Registry& registry, absl::string_view name,
                                                      absl::string_view kind);
  // The model that was asked for is known, but does not serve: a rejection, and model_name() for the record.
  void CountUnavailable(absl::string_view name);
  // Empty while the model is not known, so that a wrong name makes no label.
  virtual std::string_view model_name() const { return {}; }
  // Adds what the log tells of requests of its kind.
  virtual void Describe(FinishedRequest&) const {}

  Metrics& metrics_;
  grpc::CallbackServerContext& context_;

 private:
  // What the metadata tells of where the request comes from.
  void AddOrigin(FinishedRequest& record) const;

  RequestLog& requests_;
  const std::string_view method_;
  const TimePoint arrived_;
  grpc::StatusCode code_ = grpc::StatusCode::OK;  // of the thread that ends the call
  std::string model_label_;                       // model_name(), when the call ended
  std::string unavailable_model_;
  // Made by End, if there is a line to write. The context may be gone when it is written.
  RequestInterest interest_;
  std::unique_ptr<FinishedRequest> record_;
};

// A request whose work is one job of a model.
class JobCall : public Call, public JobObserver {
 protected:
  JobCall(RequestLog& requests, Scheduler& scheduler, grpc::CallbackServerContext& context, std::string_view method)
      : Call(requests, context, method), scheduler_(scheduler) {}

  // As JobObserver::OnJobDone.
  virtual void OnWorkDone(const absl::Status& status) = 0;

  // The request's own priority and end, in place of the metadata's and beside the client's deadline. Before FindModel,
  // if they are to count there.
  void SetPriority(Priority priority) { priority_ = priority; }
  void EndBy(TimePoint latest) { latest_ = latest; }
  // Looks the model up and keeps it. Refuses what Submit would refuse, before the request is converted and tokenised.
  absl::Status FindModel(const Registry& registry, absl::string_view name, absl::string_view kind);
  // The same for a model that was looked up.
  absl::Status TakeModel(std::shared_ptr<const Model> model);
  // After one of them; at least one task, all started by the model. OK: the job was accepted, and the observer's calls
  // may already have come. Otherwise they never come.
  absl::Status Submit(std::vector<std::unique_ptr<Task>> tasks);
  // The client has gone.
  void Cancel() {
    if (job_ != nullptr) scheduler_.Cancel(*job_);
  }

  bool has_job() const { return job_ != nullptr; }
  void Describe(FinishedRequest& record) const override;
  std::string_view model_name() const override { return model_ == nullptr ? std::string_view() : model_->spec().name; }

  Scheduler& scheduler_;
  // Constant once Submit has handed the job over.
  std::shared_ptr<const Model> model_;
  std::shared_ptr<Job> job_;

 private:
  void OnJobDone(const absl::Status& status, const JobTimes& times) final {
    times_ = times;
    OnWorkDone(status);
  }
  // The job, as far as it is known without its tasks.
  Job NewJob();

  std::optional<JobTimes> times_;     // set when the job has ended
  std::optional<Priority> priority_;  // set by TakeModel if not before
  TimePoint latest_ = kNoDeadline;
};

}  // namespace heed
