// SPDX-License-Identifier: Apache-2.0
// heed.v1.TranslationService: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/translation.grpc.pb.h"
#include "server/languages/language_table.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"
#include "server/rpc/stream_call.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class TranslationService : public v1::TranslationService::CallbackService {
 public:
  TranslationService(const Registry& registry, const JobParts& parts, const StreamLimits& stream_limits)
      : registry_(registry), parts_(parts), stream_limits_(stream_limits) {}

  grpc::ServerUnaryReactor* Translate(grpc::CallbackServerContext* context, const v1::TranslateRequest* request,
                                      v1::TranslateResponse* response) override;
  grpc::ServerWriteReactor<v1::TranslateStreamResponse>* TranslateStream(
      grpc::CallbackServerContext* context, const v1::TranslateStreamRequest* request) override;
  grpc::ServerUnaryReactor* ListLanguages(grpc::CallbackServerContext* context, const v1::ListLanguagesRequest* request,
                                          v1::ListLanguagesResponse* response) override;
  grpc::ServerUnaryReactor* DetectLanguage(grpc::CallbackServerContext* context,
                                           const v1::DetectLanguageRequest* request,
                                           v1::DetectLanguageResponse* response) override;

 private:
  class Translation;
  class UnaryCall;
  class StreamCall;

  const Registry& registry_;
  const JobParts parts_;
  const StreamLimits stream_limits_;
  const LanguageTable languages_{registry_};
};

}  // namespace heed
