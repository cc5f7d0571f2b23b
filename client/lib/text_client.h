// SPDX-License-Identifier: Apache-2.0
// Blocking calls of heed.v1.LanguageModelingService.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/lib/call_with_retry.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "heed/v1/language_modeling.grpc.pb.h"

namespace heed::client {

// The kind of a model that scores, generates and labels texts.
inline constexpr char kLanguageModel[] = "language-model";

// Thread-safe; calls may overlap. Every method blocks and returns the server's status as it came. What may run twice
// without harm (everything that changes no session, and changes with a request_id) is tried again as the retry policy
// says, everything else only if the server asks for a delay. For many requests at a time use RequestPipeline.
class TextClient {
 public:
  TextClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options);

  grpc::Status Score(const v1::ScoreRequest& request, v1::ScoreResponse& response) const;
  grpc::Status Generate(const v1::GenerateRequest& request, v1::GenerateResponse& response) const;
  // Calls `on_event` with each event until it returns false, which ends the call with CANCELLED. After the first event
  // nothing is tried again.
  grpc::Status GenerateStream(const v1::GenerateStreamRequest& request,
                              const std::function<bool(const v1::GenerateStreamResponse&)>& on_event) const;
  grpc::Status FillIn(const v1::FillInRequest& request, v1::FillInResponse& response) const;
  grpc::Status ClassifyTexts(const v1::ClassifyTextsRequest& request, v1::ClassifyTextsResponse& response) const;
  grpc::Status TagTexts(const v1::TagTextsRequest& request, v1::TagTextsResponse& response) const;
  grpc::Status AnswerFromText(const v1::AnswerFromTextRequest& request, v1::AnswerFromTextResponse& response) const;
  grpc::Status EmbedTexts(const v1::EmbedTextsRequest& request, v1::EmbedTextsResponse& response) const;

  grpc::Status Open(const v1::OpenTextSessionRequest& request, v1::TextSession& session) const;
  grpc::Status Read(const v1::ReadTextRequest& request, v1::ReadTextResponse& response) const;
  grpc::Status Fork(const std::string& session, v1::TextSession& copy) const;
  grpc::Status Export(const std::string& session, v1::ExportTextSessionResponse& response) const;
  grpc::Status Import(const v1::ImportTextSessionRequest& request, v1::TextSession& session) const;
  grpc::Status Close(const std::string& session) const;

  // Reads a text of any length: sends `first`, then each piece that `next` gives, until it returns false. Calls
  // `on_response` with what the server says, on a thread of its own, one response at a time. Holds one piece and one
  // response at a time; a server that is slower than `next` makes it wait. Not tried again. If the server ends the call
  // early, no piece is asked for any more.
  grpc::Status ReadStream(const v1::ReadTextStreamRequest& first, const std::function<bool(std::string& piece)>& next,
                          const std::function<void(const v1::ReadTextStreamResponse&)>& on_response) const;

 private:
  const CallOptions options_;
  const std::unique_ptr<v1::LanguageModelingService::Stub> stub_;
};

// The same request, for GenerateStream. `commit` and `request_id` are left out.
v1::GenerateStreamRequest StreamRequestOf(const v1::GenerateRequest& request);

}  // namespace heed::client
