// SPDX-License-Identifier: Apache-2.0
#include "server/services/model_service.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/invalid_argument.h"
#include "google/protobuf/util/time_util.h"
#include "server/messages/page_token.h"
#include "server/rpc/call.h"

namespace heed {
namespace {

constexpr char kModelList[] = "models";

v1::ModelState ToProto(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ModelState::kReady:
      return v1::MODEL_STATE_READY;
    case ModelState::kUnavailable:
      return v1::MODEL_STATE_UNAVAILABLE;
    case ModelState::kUnloaded:
      return v1::MODEL_STATE_UNLOADED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

v1::ModelKind ToProto(ModelKind kind) {
  switch (kind) {
    case ModelKind::kTranslator:
      return v1::MODEL_KIND_TRANSLATOR;
    case ModelKind::kNodeClassifier:
      return v1::MODEL_KIND_NODE_CLASSIFIER;
    case ModelKind::kEdgeClassifier:
      return v1::MODEL_KIND_EDGE_CLASSIFIER;
    case ModelKind::kGraphClassifier:
      return v1::MODEL_KIND_GRAPH_CLASSIFIER;
    case ModelKind::kQuestionAnswerer:
      return v1::MODEL_KIND_QUESTION_ANSWERER;
    case ModelKind::kSequenceModel:
      return v1::MODEL_KIND_SEQUENCE_MODEL;
    case ModelKind::kLanguageModel:
      return v1::MODEL_KIND_LANGUAGE_MODEL;
  }
  return v1::MODEL_KIND_UNSPECIFIED;
}

v1::Precision ToProto(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return v1::PRECISION_F32;
    case Precision::kBf16:
      return v1::PRECISION_BF16;
    case Precision::kInt8:
      return v1::PRECISION_INT8;
  }
  return v1::PRECISION_UNSPECIFIED;
}

google::protobuf::Duration ToDuration(double seconds) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(static_cast<int64_t>(seconds * 1e9));
}

void Fill(const ModelStatus& status, v1::ModelInfo& info) {
  info.set_name(status.name);
  info.set_version(status.version);
  info.set_is_default(status.is_default);
  info.set_state(ToProto(status.state));
  info.set_reason(std::string(status.reason.message()));
  if (status.load_seconds > 0) *info.mutable_load_duration() = ToDuration(status.load_seconds);
  if (status.model == nullptr) return;
  const ModelSpec& spec = status.model->spec();
  info.set_kind(ToProto(status.model->kind()));
  info.set_architecture(spec.architecture);
  info.set_source_language(spec.source_language);
  info.set_target_language(spec.target_language);
  info.set_weight_count(spec.weights);
  info.set_resident_bytes(spec.resident_bytes);
  info.set_fingerprint(spec.fingerprint);
  info.set_precision(ToProto(spec.precision));
  info.set_kernel(spec.kernel);
}

google::protobuf::Duration ToDuration(std::chrono::nanoseconds duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(duration.count());
}

void Fill(const ModelCounts& counts, v1::ModelStatistics& statistics) {
  statistics.set_succeeded_requests(counts.success.count);
  statistics.set_failed_requests(counts.fail.count);
  statistics.set_completed_tasks(counts.tasks);
  DurationSum steps;
  int64_t step_tasks = 0;
  for (const auto& [tasks, durations] : counts.steps) {
    steps.count += durations.count;
    steps.total += durations.total;
    step_tasks += tasks * durations.count;
  }
  statistics.set_step_count(steps.count);
  statistics.set_step_task_count(step_tasks);
  *statistics.mutable_step_duration() = ToDuration(steps.total);
  statistics.set_started_requests(counts.queue.count);
  *statistics.mutable_queue_duration() = ToDuration(counts.queue.total);
  *statistics.mutable_total_duration() = ToDuration(counts.success.total);
}

// Ordered as List is: by name, then by version. Names hold no null byte.
std::string KeyOf(const ModelStatus& status) {
  return absl::StrCat(status.name, std::string(1, '\0'), absl::StrFormat("%019d", status.version));
}

}  // namespace

class ModelService::ListCall : public Call, public grpc::ServerUnaryReactor {
 public:
  ListCall(ModelService& service, grpc::CallbackServerContext& context)
      : Call(service.requests_, context, "heed.v1.ModelService/ListModels"), service_(service) {}

  void Run(const v1::ListModelsRequest& request, v1::ListModelsResponse& response) {
    const absl::StatusOr<PageRequest> page = ReadPageRequest(request.page_size(), request.page_token(), kModelList);
    if (!page.ok()) return Finish(End(page.status()));
    std::string last;
    for (const ModelStatus& status : service_.registry_.List()) {
      const std::string key = KeyOf(status);
      if (key <= page->after || !MayUse(status.name)) continue;
      if (response.models_size() == page->size) {
        response.set_next_page_token(MakePageToken(last, kModelList));
        break;
      }
      Fill(status, *response.add_models());
      last = key;
    }
    Finish(End(absl::OkStatus()));
  }

  void OnDone() override { delete this; }

 private:
  ModelService& service_;
};

class ModelService::StatisticsCall : public Call, public grpc::ServerUnaryReactor {
 public:
  StatisticsCall(ModelService& service, grpc::CallbackServerContext& context)
      : Call(service.requests_, context, "heed.v1.ModelService/ListModelStatistics"), service_(service) {}

  void Run(const v1::ListModelStatisticsRequest& request, v1::ListModelStatisticsResponse& response) {
    if (!request.model().empty()) {
      const absl::StatusOr<ServedModel> served = service_.registry_.FindVersion(request.model(), "");
      if (!served.ok()) return Finish(End(served.status()));
    }
    for (const ModelStatus& status : service_.registry_.List()) {
      if (status.model == nullptr || !MayUse(status.name)) continue;
      if (!request.model().empty() && status.name != request.model()) continue;
      v1::ModelStatistics& one = *response.add_statistics();
      one.set_model(status.name);
      one.set_model_version(status.version);
      const Scheduler::Backlog backlog = service_.scheduler_.BacklogOf(*status.model);
      one.set_queued_requests(backlog.queued_jobs);
      one.set_max_queued_requests(service_.scheduler_.LimitsOf(status.name).max_queued_jobs);
      one.set_queued_tasks(backlog.queued_tasks);
      one.set_running_tasks(backlog.running_tasks);
      Fill(service_.scheduler_.statistics().Of(*status.model), one);
    }
    Finish(End(absl::OkStatus()));
  }

  void OnDone() override { delete this; }

 private:
  ModelService& service_;
};

// A change that the loader carries out.
class ModelService::ChangeCall : public Call, public grpc::ServerUnaryReactor {
 public:
  ChangeCall(ModelService& service, grpc::CallbackServerContext& context, std::string_view method)
      : Call(service.requests_, context, method), service_(service) {}

  void Load(const v1::LoadModelRequest& request, v1::LoadModelResponse& response) {
    for (int i = 0; i < request.versions_size(); ++i) {
      if (request.versions(i) >= 1) continue;
      return Finish(End(InvalidField(absl::StrCat("versions[", i, "]"), request.versions(i), ", must be at least 1")));
    }
    service_.loader_.Load(request.model(), {request.versions().begin(), request.versions().end()},
                          [this, name = request.model(), &response](const absl::Status& status) {
                            for (const ModelStatus& version : service_.registry_.List()) {
                              if (status.ok() && version.name == name) Fill(version, *response.add_versions());
                            }
                            Finish(End(status));
                          });
  }

  void Unload(const v1::UnloadModelRequest& request) {
    service_.loader_.Unload(request.model(), [this](const absl::Status& status) { Finish(End(status)); });
  }

  void OnDone() override { delete this; }

 private:
  ModelService& service_;
};

// Each of these calls deletes itself in OnDone.

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  auto* call = new ListCall(*this, *context);
  call->Run(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* ModelService::ListModelStatistics(grpc::CallbackServerContext* context,
                                                            const v1::ListModelStatisticsRequest* request,
                                                            v1::ListModelStatisticsResponse* response) {
  auto* call = new StatisticsCall(*this, *context);
  call->Run(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* ModelService::LoadModel(grpc::CallbackServerContext* context,
                                                  const v1::LoadModelRequest* request,
                                                  v1::LoadModelResponse* response) {
  auto* call = new ChangeCall(*this, *context, "heed.v1.ModelService/LoadModel");
  call->Load(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* ModelService::UnloadModel(grpc::CallbackServerContext* context,
                                                    const v1::UnloadModelRequest* request, v1::UnloadModelResponse*) {
  auto* call = new ChangeCall(*this, *context, "heed.v1.ModelService/UnloadModel");
  call->Unload(*request);
  return call;
}

}  // namespace heed
