#include "server/services/models.h"

#include "absl/strings/str_cat.h"
#include "server/rpc/call.h"

namespace heed {
namespace {

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

void Fill(const ModelStatus& status, v1::ModelInfo& info) {
  info.set_name(status.name);
  info.set_version(status.version);
  info.set_is_default(status.is_default);
  info.set_state(ToProto(status.state));
  info.set_reason(std::string(status.reason.message()));
  info.set_load_seconds(status.load_seconds);
  if (status.model == nullptr) return;
  const ModelSpec& spec = status.model->spec();
  info.set_kind(std::string(KindName(status.model->kind())));
  info.set_architecture(spec.architecture);
  info.set_source_language(spec.source_language);
  info.set_target_language(spec.target_language);
  info.set_weights(spec.weights);
  info.set_resident_bytes(spec.resident_bytes);
  info.set_fingerprint(spec.fingerprint);
}

}  // namespace

// A change that the loader carries out.
class ModelsService::ChangeCall : public Call, public grpc::ServerUnaryReactor {
 public:
  ChangeCall(ModelsService& service, grpc::CallbackServerContext& context, std::string_view method)
      : Call(service.requests_, context, method), service_(service) {}

  void Load(const v1::LoadModelRequest& request, v1::LoadModelResponse& response) {
    for (int i = 0; i < request.versions_size(); ++i) {
      if (request.versions(i) >= 1) continue;
      return Finish(End(absl::InvalidArgumentError(
          absl::StrCat("versions[", i, "]: ", request.versions(i), ", must be at least 1"))));
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
  ModelsService& service_;
};

grpc::ServerUnaryReactor* ModelsService::List(grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
                                              v1::ListModelsResponse* response) {
  for (const ModelStatus& status : registry_.List()) Fill(status, *response->add_models());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* ModelsService::Load(grpc::CallbackServerContext* context, const v1::LoadModelRequest* request,
                                              v1::LoadModelResponse* response) {
  auto* call = new ChangeCall(*this, *context, "Load");  // deletes itself in OnDone
  call->Load(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* ModelsService::Unload(grpc::CallbackServerContext* context,
                                                const v1::UnloadModelRequest* request, v1::UnloadModelResponse*) {
  auto* call = new ChangeCall(*this, *context, "Unload");  // deletes itself in OnDone
  call->Unload(*request);
  return call;
}

}  // namespace heed
