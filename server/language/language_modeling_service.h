// SPDX-License-Identifier: Apache-2.0
// heed.v1.LanguageModelingService: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/language_modeling.grpc.pb.h"
#include "server/language/text_read_stream.h"
#include "server/rpc/stream_call.h"
#include "server/session_calls/session_parts.h"

namespace heed {

// Thread-safe. Outlives the calls it answers.
class LanguageModelingService : public v1::LanguageModelingService::CallbackService {
 public:
  LanguageModelingService(const SessionParts& parts, const StreamLimits& stream_limits);

  // After Scheduler::Refuse: ends the ReadTextStreams that are under way, each behind the part that it is reading.
  void Refuse() { read_streams_.Refuse(); }

  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context, const v1::ScoreRequest* request,
                                  v1::ScoreResponse* response) override;
  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const v1::GenerateRequest* request,
                                     v1::GenerateResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateStreamResponse>* GenerateStream(
      grpc::CallbackServerContext* context, const v1::GenerateStreamRequest* request) override;
  grpc::ServerUnaryReactor* FillIn(grpc::CallbackServerContext* context, const v1::FillInRequest* request,
                                   v1::FillInResponse* response) override;
  grpc::ServerUnaryReactor* ClassifyTexts(grpc::CallbackServerContext* context, const v1::ClassifyTextsRequest* request,
                                          v1::ClassifyTextsResponse* response) override;
  grpc::ServerUnaryReactor* TagTexts(grpc::CallbackServerContext* context, const v1::TagTextsRequest* request,
                                     v1::TagTextsResponse* response) override;
  grpc::ServerUnaryReactor* AnswerFromText(grpc::CallbackServerContext* context,
                                           const v1::AnswerFromTextRequest* request,
                                           v1::AnswerFromTextResponse* response) override;
  grpc::ServerUnaryReactor* EmbedTexts(grpc::CallbackServerContext* context, const v1::EmbedTextsRequest* request,
                                       v1::EmbedTextsResponse* response) override;

  grpc::ServerUnaryReactor* OpenTextSession(grpc::CallbackServerContext* context,
                                            const v1::OpenTextSessionRequest* request,
                                            v1::OpenTextSessionResponse* response) override;
  grpc::ServerUnaryReactor* ReadText(grpc::CallbackServerContext* context, const v1::ReadTextRequest* request,
                                     v1::ReadTextResponse* response) override;
  grpc::ServerUnaryReactor* ForkTextSession(grpc::CallbackServerContext* context,
                                            const v1::ForkTextSessionRequest* request,
                                            v1::ForkTextSessionResponse* response) override;
  grpc::ServerUnaryReactor* ExportTextSession(grpc::CallbackServerContext* context,
                                              const v1::ExportTextSessionRequest* request,
                                              v1::ExportTextSessionResponse* response) override;
  grpc::ServerUnaryReactor* ImportTextSession(grpc::CallbackServerContext* context,
                                              const v1::ImportTextSessionRequest* request,
                                              v1::ImportTextSessionResponse* response) override;
  grpc::ServerUnaryReactor* CloseTextSession(grpc::CallbackServerContext* context,
                                             const v1::CloseTextSessionRequest* request,
                                             v1::CloseTextSessionResponse* response) override;

 private:
  const SessionParts parts_;
  const StreamLimits stream_limits_;
  TextReadStreams read_streams_;
};

}  // namespace heed
