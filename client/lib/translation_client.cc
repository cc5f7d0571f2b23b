// SPDX-License-Identifier: Apache-2.0
#include "client/lib/translation_client.h"

#include <utility>

#include "grpcpp/client_context.h"

namespace heed::client {
TranslationClient::TranslationClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)),
      translation_(v1::TranslationService::NewStub(channel)),
      models_(v1::ModelService::NewStub(channel)) {}

grpc::Status TranslationClient::Translate(const v1::TranslateRequest& request, v1::TranslateResponse& response) const {
  return CallWithRetry(options_, Repeat::kAlways, [&](grpc::ClientContext& context) {
    return translation_->Translate(&context, request, &response);
  });
}

grpc::Status TranslationClient::TranslateStream(
    const v1::TranslateStreamRequest& request,
    const std::function<bool(const v1::TranslateStreamResponse&)>& on_event) const {
  return CallWithRetry(options_, Repeat::kAlways, [&](grpc::ClientContext& context, Repeat& repeat) {
    const auto reader = translation_->TranslateStream(&context, request);
    v1::TranslateStreamResponse event;
    bool wanted = true;
    while (wanted && reader->Read(&event)) {
      repeat = Repeat::kNever;
      wanted = on_event(event);
    }
    if (!wanted) context.TryCancel();
    return reader->Finish();
  });
}

grpc::Status TranslationClient::DetectLanguage(const v1::DetectLanguageRequest& request,
                                               v1::DetectLanguageResponse& response) const {
  return CallWithRetry(options_, Repeat::kAlways, [&](grpc::ClientContext& context) {
    return translation_->DetectLanguage(&context, request, &response);
  });
}

grpc::Status TranslationClient::ListLanguages(v1::ListLanguagesResponse& response) const {
  return CallWithRetry(options_, Repeat::kAlways, [&](grpc::ClientContext& context) {
    return translation_->ListLanguages(&context, v1::ListLanguagesRequest(), &response);
  });
}

grpc::Status TranslationClient::ListModels(v1::ListModelsResponse& response) const {
  response.Clear();
  v1::ListModelsRequest request;
  do {
    v1::ListModelsResponse page;
    const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
      return models_->ListModels(&context, request, &page);
    });
    if (!status.ok()) return status;
    response.mutable_models()->MergeFrom(page.models());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return grpc::Status::OK;
}

grpc::Status TranslationClient::LoadModel(const v1::LoadModelRequest& request, v1::LoadModelResponse& response) const {
  return CallWithRetry(options_, Repeat::kIfRefused,
                       [&](grpc::ClientContext& context) { return models_->LoadModel(&context, request, &response); });
}

grpc::Status TranslationClient::UnloadModel(const std::string& model) const {
  return CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    v1::UnloadModelRequest request;
    request.set_model(model);
    v1::UnloadModelResponse response;
    return models_->UnloadModel(&context, request, &response);
  });
}

v1::TranslateStreamRequest StreamRequestOf(const v1::TranslateRequest& request) {
  v1::TranslateStreamRequest stream;
  stream.set_model(request.model());
  stream.set_model_version(request.model_version());
  *stream.mutable_texts() = request.texts();
  if (request.has_options()) *stream.mutable_options() = request.options();
  stream.set_source_language(request.source_language());
  stream.set_target_language(request.target_language());
  *stream.mutable_glossary() = request.glossary();
  if (request.has_do_not_translate()) *stream.mutable_do_not_translate() = request.do_not_translate();
  return stream;
}

}  // namespace heed::client
