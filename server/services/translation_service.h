// SPDX-License-Identifier: Apache-2.0
// heed.v1.TranslationService: converts, submits, answers. Nothing here waits.
#pragma once

#include <atomic>
#include <cstdint>

#include "heed/v1/translation.grpc.pb.h"
#include "server/languages/language_table.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"
#include "server/rpc/stream_call.h"
#include "server/translation/sentence_cache.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class TranslationService : public v1::TranslationService::CallbackService {
 public:
  // `cache_bytes`: of translated sentences that are kept; 0: none is.
  TranslationService(const Registry& registry, const JobParts& parts, const StreamLimits& stream_limits,
                     int64_t cache_bytes)
      : registry_(registry),
        parts_(parts),
        stream_limits_(stream_limits),
        languages_(registry),
        cache_(cache_bytes, parts.requests.metrics()) {}

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
  template <typename Base>
  class WorkCall;
  class UnaryCall;
  class StreamCall;

  const Registry& registry_;
  const JobParts parts_;
  const StreamLimits stream_limits_;
  const LanguageTable languages_;
  SentenceCache cache_;
  std::atomic<int64_t> markup_bytes_ = 0;  // kMaxMarkupBytes
};

}  // namespace heed
