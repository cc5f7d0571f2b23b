#include "server/services/models.h"

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
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

}  // namespace

grpc::ServerUnaryReactor* ModelsService::List(grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
                                              v1::ListModelsResponse* response) {
  for (const ModelStatus& status : registry_.List()) {
    v1::ModelInfo* info = response->add_models();
    info->set_name(status.name);
    info->set_state(ToProto(status.state));
    info->set_reason(std::string(status.reason.message()));
    info->set_load_seconds(status.load_seconds);
    if (status.model == nullptr) continue;
    const ModelSpec& spec = status.model->spec();
    info->set_kind(spec.kind);
    info->set_architecture(spec.architecture);
    info->set_source_language(spec.source_language);
    info->set_target_language(spec.target_language);
    info->set_weights(spec.weights);
    info->set_resident_bytes(spec.resident_bytes);
    info->set_fingerprint(spec.fingerprint);
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace heed
