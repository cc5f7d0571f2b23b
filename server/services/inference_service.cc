// SPDX-License-Identifier: Apache-2.0
#include "server/services/inference_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "server/oip/infer_tensors.h"
#include "server/rpc/call.h"
#include "server/rpc/current_caller.h"
#include "server/rpc/instant_call.h"
#include "server/scheduling/model_statistics.h"

namespace heed {
namespace {

inference::DataType ToDataType(TensorType type) {
  switch (type) {
    case TensorType::kBytes:
      return inference::TYPE_STRING;
    case TensorType::kFp32:
      return inference::TYPE_FP32;
    case TensorType::kInt64:
      return inference::TYPE_INT64;
  }
  return inference::TYPE_INVALID;
}

std::string Platform(const Model& model) { return absl::StrCat("heed_", model.spec().architecture); }

void Fill(const TensorSpec& spec, inference::ModelMetadataResponse::TensorMetadata& tensor) {
  tensor.set_name(spec.name);
  tensor.set_datatype(std::string(DatatypeName(spec.type)));
  tensor.mutable_shape()->Assign(spec.shape.begin(), spec.shape.end());
}

// What a person wants to know of each tensor and cannot see in the protocol's fields.
std::string Help(const std::vector<TensorSpec>& specs) {
  std::string help;
  for (const TensorSpec& spec : specs) {
    absl::StrAppend(&help, help.empty() ? "" : "; ", spec.name, spec.optional ? " (on request)" : "", ": ", spec.help);
  }
  return help;
}

absl::Status CheckRepository(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("repository_name: there is no ", Quoted(name), "; the only repository has no name"));
}

void Fill(const DurationSum& from, inference::StatisticDuration& to) {
  to.set_count(static_cast<uint64_t>(from.count));
  to.set_ns(static_cast<uint64_t>(from.total.count()));
}

void Fill(const ModelCounts& counts, inference::ModelStatistics& to) {
  to.set_last_inference(static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(counts.last.time_since_epoch()).count()));
  to.set_inference_count(static_cast<uint64_t>(counts.tasks));
  inference::InferStatistics& times = *to.mutable_inference_stats();
  Fill(counts.success, *times.mutable_success());
  Fill(counts.fail, *times.mutable_fail());
  Fill(counts.queue, *times.mutable_queue());
  Fill(counts.input, *times.mutable_compute_input());
  Fill(counts.compute, *times.mutable_compute_infer());
  Fill(counts.output, *times.mutable_compute_output());
  int64_t steps = 0;
  for (const auto& [tasks, durations] : counts.steps) {
    inference::InferBatchStatistics& batch = *to.add_batch_stats();
    batch.set_batch_size(static_cast<uint64_t>(tasks));
    Fill(durations, *batch.mutable_compute_infer());
    steps += durations.count;
  }
  to.set_execution_count(static_cast<uint64_t>(steps));
}

// For lists, while the call begins.
bool IsListed(const ModelStatus& status) {
  const NamePatterns* const allowed = CurrentlyAllowedModels();
  return allowed == nullptr || allowed->Match(status.name);
}

// Calls `visit` with the versions that serve: all that the caller may use, those of one model, or one; errors as
// Registry::FindVersion's.
template <typename Visit>
absl::Status VisitServing(const Registry& registry, const std::string& name, const std::string& version, Visit visit) {
  if (!version.empty() && name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("version: is ", version, ", but name is empty"));
  }
  if (!version.empty()) {
    HEED_ASSIGN_OR_RETURN(const ServedModel served, registry.FindVersion(name, version));
    visit(name, served.version, *served.model);
    return absl::OkStatus();
  }
  if (!name.empty()) HEED_RETURN_IF_ERROR(registry.FindVersion(name, "").status());
  for (const ModelStatus& status : registry.List()) {
    if (status.model != nullptr && IsListed(status) && (name.empty() || status.name == name)) {
      visit(status.name, status.version, *status.model);
    }
  }
  return absl::OkStatus();
}

}  // namespace

class InferenceService::InferCall : public UnaryJobCall<inference::ModelInferResponse, InferJob> {
 public:
  InferCall(const InferenceParts& parts, grpc::CallbackServerContext& context,
            const inference::ModelInferRequest& request, inference::ModelInferResponse& response)
      : UnaryJobCall(response, parts, context, request, /*stream=*/false) {}

  void OnTaskOutput(int, Task& task) override { Count(task); }

 private:
  void Respond(inference::ModelInferResponse& response) override { Fill(response); }
};

// A change that the loader carries out.
class InferenceService::ChangeCall : public Call, public grpc::ServerUnaryReactor {
 public:
  ChangeCall(const InferenceParts& parts, grpc::CallbackServerContext& context, std::string_view method)
      : Call(parts.jobs.requests, context, method), parts_(parts) {}

  void Load(const inference::RepositoryModelLoadRequest& request) {
    absl::Status status = CheckRepository(request.repository_name());
    if (status.ok() && !request.parameters().empty()) {
      status = absl::InvalidArgumentError(absl::StrCat("parameters: ", Quoted(request.parameters().begin()->first),
                                                       " is not known; models are loaded as their files say"));
    }
    if (!status.ok()) return Finish(End(status));
    parts_.loader.Load(request.model_name(), {}, [this](const absl::Status& result) { Finish(End(result)); });
  }

  void Unload(const inference::RepositoryModelUnloadRequest& request) {
    absl::Status status = CheckRepository(request.repository_name());
    for (const auto& [name, parameter] : request.parameters()) {
      // Clients send it always; no model depends on another.
      if (name == "unload_dependents") continue;
      status = absl::InvalidArgumentError(
          absl::StrCat("parameters: ", Quoted(name), " is not known; known are: unload_dependents"));
    }
    if (!status.ok()) return Finish(End(status));
    parts_.loader.Unload(request.model_name(), [this](const absl::Status& result) { Finish(End(result)); });
  }

  void OnDone() override { delete this; }

 private:
  const InferenceParts& parts_;
};

InferenceService::InferenceService(const InferenceParts& parts)
    : UnservedExtensions(parts.jobs.requests), parts_(parts), streams_(parts) {
  using inference::GRPCInferenceService;
  MarkMethodCallback(MethodIndex(GRPCInferenceService::service_full_name(), "ModelStreamInfer"),
                     new grpc::internal::CallbackBidiHandler<Received<inference::ModelInferRequest>,
                                                             inference::ModelStreamInferResponse>(
                         [this](grpc::CallbackServerContext* context) { return streams_.Begin(*context); }));
}

grpc::ServerUnaryReactor* InferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                       const inference::ServerLiveRequest*,
                                                       inference::ServerLiveResponse* response) {
  return AnswerNow(
      parts_.jobs.requests, *context, "inference.GRPCInferenceService/ServerLive",
      [&]() -> absl::Status {
        response->set_live(true);
        return absl::OkStatus();
      },
      CallType::kProbe);
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                        const inference::ServerReadyRequest*,
                                                        inference::ServerReadyResponse* response) {
  return AnswerNow(
      parts_.jobs.requests, *context, "inference.GRPCInferenceService/ServerReady",
      [&]() -> absl::Status {
        response->set_ready(parts_.health.IsServing(""));
        return absl::OkStatus();
      },
      CallType::kProbe);
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  return AnswerNow(
      parts_.jobs.requests, *context, "inference.GRPCInferenceService/ModelReady",
      [&]() -> absl::Status {
        const absl::Status status = parts_.registry.FindVersion(request->name(), request->version()).status();
        // While the server shuts down its models take no requests.
        response->set_ready(status.ok() && parts_.health.IsServing(request->name()));
        return absl::IsUnavailable(status) ? absl::OkStatus() : status;
      },
      CallType::kProbe);
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(grpc::CallbackServerContext* context,
                                                           const inference::ServerMetadataRequest*,
                                                           inference::ServerMetadataResponse* response) {
  return AnswerNow(parts_.jobs.requests, *context, "inference.GRPCInferenceService/ServerMetadata",
                   [&]() -> absl::Status {
                     response->set_name("heed");
                     response->set_version(kHeedVersion);
                     for (const char* extension : {"binary_tensor_data", "model_configuration", "model_repository",
                                                   "parameters", "schedule_policy", "statistics"}) {
                       response->add_extensions(extension);
                     }
                     return absl::OkStatus();
                   });
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(grpc::CallbackServerContext* context,
                                                          const inference::ModelMetadataRequest* request,
                                                          inference::ModelMetadataResponse* response) {
  return AnswerNow(
      parts_.jobs.requests, *context, "inference.GRPCInferenceService/ModelMetadata", [&]() -> absl::Status {
        const absl::StatusOr<ServedModel> served = parts_.registry.FindVersion(request->name(), request->version());
        if (!served.ok()) return served.status();
        response->set_name(request->name());
        for (const ModelStatus& status : parts_.registry.List()) {
          if (status.name == request->name() && status.model != nullptr)
            response->add_versions(absl::StrCat(status.version));
        }
        response->set_platform(Platform(*served->model));
        const ModelTensors tensors = TensorsOf(*served->model);
        for (const TensorSpec& spec : tensors.inputs) {
          if (!spec.optional) Fill(spec, *response->add_inputs());
        }
        for (const TensorSpec& spec : tensors.inputs) {
          if (spec.optional) Fill(spec, *response->add_inputs());
        }
        for (const TensorSpec& spec : tensors.outputs) Fill(spec, *response->add_outputs());
        for (const auto& [name, text] : tensors.properties) (*response->mutable_properties())[name] = text;
        (*response->mutable_properties())["inputs"] = Help(tensors.inputs);
        (*response->mutable_properties())["outputs"] = Help(tensors.outputs);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const inference::ModelInferRequest* request,
                                                       inference::ModelInferResponse* response) {
  auto* call = new InferCall(parts_, *context, *request, *response);  // deletes itself in OnDone
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerUnaryReactor* InferenceService::ModelConfig(grpc::CallbackServerContext* context,
                                                        const inference::ModelConfigRequest* request,
                                                        inference::ModelConfigResponse* response) {
  return AnswerNow(parts_.jobs.requests, *context, "inference.GRPCInferenceService/ModelConfig", [&]() -> absl::Status {
    const absl::StatusOr<ServedModel> served = parts_.registry.FindVersion(request->name(), request->version());
    if (!served.ok()) return served.status();
    inference::ModelConfig& config = *response->mutable_config();
    config.set_name(request->name());
    config.set_platform(Platform(*served->model));
    config.set_backend("heed");
    inference::ModelVersionPolicy::Specific& versions = *config.mutable_version_policy()->mutable_specific();
    for (const ModelStatus& status : parts_.registry.List()) {
      if (status.name == request->name() && status.model != nullptr) versions.add_versions(status.version);
    }
    const ModelTensors tensors = TensorsOf(*served->model);
    for (const TensorSpec& spec : tensors.inputs) {
      inference::ModelInput& input = *config.add_input();
      input.set_name(spec.name);
      input.set_data_type(ToDataType(spec.type));
      input.mutable_dims()->Assign(spec.shape.begin(), spec.shape.end());
      input.set_optional(spec.optional);
    }
    for (const TensorSpec& spec : tensors.outputs) {
      inference::ModelOutput& output = *config.add_output();
      output.set_name(spec.name);
      output.set_data_type(ToDataType(spec.type));
      output.mutable_dims()->Assign(spec.shape.begin(), spec.shape.end());
    }
    for (const auto& [name, text] : tensors.properties) (*config.mutable_parameters())[name].set_string_value(text);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelStatistics(grpc::CallbackServerContext* context,
                                                            const inference::ModelStatisticsRequest* request,
                                                            inference::ModelStatisticsResponse* response) {
  return AnswerNow(parts_.jobs.requests, *context, "inference.GRPCInferenceService/ModelStatistics",
                   [&]() -> absl::Status {
                     return VisitServing(parts_.registry, request->name(), request->version(),
                                         [&](const std::string& name, int64_t version, const Model& model) {
                                           inference::ModelStatistics& one = *response->add_model_stats();
                                           one.set_name(name);
                                           one.set_version(absl::StrCat(version));
                                           Fill(parts_.jobs.scheduler.statistics().Of(model), one);
                                         });
                   });
}

grpc::ServerUnaryReactor* InferenceService::RepositoryIndex(grpc::CallbackServerContext* context,
                                                            const inference::RepositoryIndexRequest* request,
                                                            inference::RepositoryIndexResponse* response) {
  return AnswerNow(parts_.jobs.requests, *context, "inference.GRPCInferenceService/RepositoryIndex",
                   [&]() -> absl::Status {
                     if (const absl::Status status = CheckRepository(request->repository_name()); !status.ok()) {
                       return status;
                     }
                     for (const ModelStatus& status : parts_.registry.List()) {
                       if (!IsListed(status) || (request->ready() && status.state != ModelState::kReady)) continue;
                       inference::RepositoryIndexResponse::ModelIndex& model = *response->add_models();
                       model.set_name(status.name);
                       model.set_version(absl::StrCat(status.version));
                       model.set_reason(std::string(status.reason.message()));
                       switch (status.state) {
                         case ModelState::kLoading:
                           model.set_state("LOADING");
                           break;
                         case ModelState::kReady:
                           model.set_state("READY");
                           break;
                         case ModelState::kUnloaded:
                           model.set_reason("unloaded");
                           [[fallthrough]];
                         case ModelState::kUnavailable:
                           model.set_state("UNAVAILABLE");
                           break;
                       }
                     }
                     return absl::OkStatus();
                   });
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelLoad(grpc::CallbackServerContext* context,
                                                                const inference::RepositoryModelLoadRequest* request,
                                                                inference::RepositoryModelLoadResponse*) {
  auto* call = new ChangeCall(parts_, *context,
                              "inference.GRPCInferenceService/RepositoryModelLoad");  // deletes itself in OnDone
  call->Load(*request);
  return call;
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelUnload(
    grpc::CallbackServerContext* context, const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse*) {
  auto* call = new ChangeCall(parts_, *context,
                              "inference.GRPCInferenceService/RepositoryModelUnload");  // deletes itself in OnDone
  call->Unload(*request);
  return call;
}

}  // namespace heed
