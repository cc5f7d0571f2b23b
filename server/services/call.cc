#include "server/services/call.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"
#include "server/services/status.h"
#include "spdlog/spdlog.h"

namespace heed {
namespace {

// Of the client's metadata.
constexpr char kPriorityKey[] = "heed-priority";

}  // namespace

Call::Call(Metrics& metrics, grpc::CallbackServerContext& context, std::string_view method)
    : metrics_(metrics), context_(context), method_(method), arrived_(Clock::now()) {
  metrics_.Increment(Metric::kRequestsInFlight, {method_}, 1);
}

Call::~Call() {
  const double seconds = std::chrono::duration<double>(Clock::now() - arrived_).count();
  metrics_.Add(Metric::kRequests, {method_, model_label_, CodeName(code_)});
  metrics_.Observe(Metric::kRequestSeconds, {method_, model_label_}, seconds);
  metrics_.Increment(Metric::kRequestsInFlight, {method_}, -1);  // last: whoever sees none in flight sees all counted
  spdlog::debug("request method={} model={} code={} seconds={:.6f}", method_, model_label_, CodeName(code_), seconds);
}

grpc::Status Call::End(const absl::Status& status, bool room_may_come) {
  grpc::Status result = ToGrpcStatus(status);
  code_ = result.error_code();
  model_label_ = std::string(model_name());
  if (room_may_come) AddRetryHint(status, result, context_);
  return result;
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

absl::StatusOr<std::shared_ptr<const Model>> FindModel(const Registry& registry, absl::string_view name,
                                                       absl::string_view kind, Metrics& metrics) {
  absl::StatusOr<std::shared_ptr<const Model>> model = registry.Find(name, kind);
  if (absl::IsUnavailable(model.status())) metrics.Add(Metric::kRejections, {"model_unavailable"});
  return model;
}

absl::Status JobCall::FindModel(const Registry& registry, absl::string_view name, absl::string_view kind) {
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, heed::FindModel(registry, name, kind, metrics_));
  return TakeModel(std::move(model));
}

absl::Status JobCall::TakeModel(std::shared_ptr<const Model> model) {
  HEED_ASSIGN_OR_RETURN(const Priority priority, PriorityOfMetadata());
  if (!priority_) priority_ = priority;
  model_ = std::move(model);
  return scheduler_.CheckRoom(NewJob());
}

absl::Status JobCall::Submit(std::vector<std::unique_ptr<Task>> tasks) {
  job_ = std::make_shared<Job>(NewJob());
  job_->tasks = std::move(tasks);
  return scheduler_.Submit(job_);
}

Job JobCall::NewJob() {
  Job job;
  job.model = model_;
  job.deadline = std::min(deadline(), latest_);
  job.priority = *priority_;
  job.observer = this;
  return job;
}

}  // namespace heed
