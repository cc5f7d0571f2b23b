// SPDX-License-Identifier: Apache-2.0
// heed.v1.TranslationService: converts, submits, answers. Nothing here waits.
#pragma once

#include <cstdint>

#include "heed/v1/translation.grpc.pb.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class TranslationService : public v1::TranslationService::CallbackService {
 public:
  // A stream with `max_stream_events` events that its reader has not taken is parked until half of them are gone. If
  // that takes too long for the scheduler, the reader has `last_wait` to take the event that is on its way, and the
  // status.
  TranslationService(const Registry& registry, const JobParts& parts, int64_t max_stream_events,
                     Clock::duration last_wait)
      : registry_(registry), parts_(parts), max_stream_events_(max_stream_events), last_wait_(last_wait) {}

  grpc::ServerUnaryReactor* Translate(grpc::CallbackServerContext* context, const v1::TranslateRequest* request,
                                      v1::TranslateResponse* response) override;
  grpc::ServerWriteReactor<v1::TranslateStreamResponse>* TranslateStream(
      grpc::CallbackServerContext* context, const v1::TranslateStreamRequest* request) override;

 private:
  class Translation;
  class UnaryCall;
  class StreamCall;

  const Registry& registry_;
  const JobParts parts_;
  const int64_t max_stream_events_;
  const Clock::duration last_wait_;
};

}  // namespace heed
