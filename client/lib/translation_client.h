// SPDX-License-Identifier: Apache-2.0
// Blocking calls of heed.v1.TranslationService and heed.v1.ModelService.
#pragma once

#include <functional>
#include <memory>

#include "client/lib/call_with_retry.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"

namespace heed::client {

// Thread-safe; calls may overlap. Every method blocks, tries again as the retry policy says, and returns the server's
// status as it came. For many requests at a time use RequestPipeline.
class TranslationClient {
 public:
  TranslationClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options);

  grpc::Status Translate(const v1::TranslateRequest& request, v1::TranslateResponse& response) const;

  // Calls `on_event` on the caller's thread for each event as it comes; false cancels the call. Tried again only as
  // long as there was no event.
  grpc::Status TranslateStream(const v1::TranslateStreamRequest& request,
                               const std::function<bool(const v1::TranslateStreamResponse&)>& on_event) const;

  grpc::Status DetectLanguage(const v1::DetectLanguageRequest& request, v1::DetectLanguageResponse& response) const;
  grpc::Status ListLanguages(v1::ListLanguagesResponse& response) const;

  // All pages as one. One try only: the server answers this one whatever state it is in.
  grpc::Status ListModels(v1::ListModelsResponse& response) const;
  // One try only, too.
  grpc::Status LoadModel(const v1::LoadModelRequest& request, v1::LoadModelResponse& response) const;
  grpc::Status UnloadModel(const std::string& model) const;

 private:
  const CallOptions options_;
  const std::unique_ptr<v1::TranslationService::Stub> translation_;
  const std::unique_ptr<v1::ModelService::Stub> models_;
};

// The same request, to be answered as a stream. Streams have no format.
v1::TranslateStreamRequest StreamRequestOf(const v1::TranslateRequest& request);

}  // namespace heed::client
