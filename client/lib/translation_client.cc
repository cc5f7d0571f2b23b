#include "client/lib/translation_client.h"

#include <utility>

#include "grpcpp/client_context.h"

namespace heed::client {
TranslationClient::TranslationClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)),
      translation_(v1::Translation::NewStub(channel)),
      models_(v1::Models::NewStub(channel)) {}

grpc::Status TranslationClient::Translate(const v1::TranslateRequest& request, v1::TranslateResponse& response) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool&) {
    return translation_->Translate(&context, request, &response);
  });
}

grpc::Status TranslationClient::TranslateStream(
    const v1::TranslateRequest& request,
    const std::function<bool(const v1::TranslateStreamResponse&)>& on_event) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    const auto reader = translation_->TranslateStream(&context, request);
    v1::TranslateStreamResponse event;
    bool wanted = true;
    while (wanted && reader->Read(&event)) {
      may_retry = false;
      wanted = on_event(event);
    }
    if (!wanted) context.TryCancel();
    return reader->Finish();
  });
}

grpc::Status TranslationClient::ListModels(v1::ListModelsResponse& response) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    return models_->List(&context, v1::ListModelsRequest(), &response);
  });
}

grpc::Status TranslationClient::LoadModel(const v1::LoadModelRequest& request, v1::LoadModelResponse& response) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    return models_->Load(&context, request, &response);
  });
}

grpc::Status TranslationClient::UnloadModel(const std::string& model) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    v1::UnloadModelRequest request;
    request.set_model(model);
    v1::UnloadModelResponse response;
    return models_->Unload(&context, request, &response);
  });
}

}  // namespace heed::client
