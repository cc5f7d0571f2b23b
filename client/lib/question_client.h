// SPDX-License-Identifier: Apache-2.0
// Blocking calls of heed.v1.QuestionAnsweringService.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "client/lib/call_with_retry.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "grpcpp/support/sync_stream.h"
#include "heed/v1/questions.grpc.pb.h"

namespace heed::client {

// The kind of a model that answers.
inline constexpr char kQuestionAnswerer[] = "question-answerer";

// Thread-safe; calls may overlap. Every method blocks and returns the server's status as it came. What may run twice
// without harm (an answer, a question that does not commit, a change with a request_id) is tried again as the retry
// policy says, everything else only if the server's queue was full. For many requests at a time use RequestPipeline.
class QuestionClient {
 public:
  QuestionClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options);

  grpc::Status Answer(const v1::AnswerRequest& request, v1::AnswerResponse& response) const;
  // `model_version`: 0: the model's default version.
  grpc::Status Open(const std::string& model, v1::QuestionSession& session, int64_t model_version = 0) const;
  grpc::Status Tell(const v1::TellRequest& request, v1::TellResponse& response) const;
  grpc::Status Ask(const v1::AskRequest& request, v1::AskResponse& response) const;
  grpc::Status Fork(const std::string& session, v1::QuestionSession& copy) const;
  grpc::Status Export(const std::string& session, v1::ExportSessionResponse& response) const;
  grpc::Status Import(const v1::ImportSessionRequest& request, v1::QuestionSession& session) const;
  grpc::Status Close(const std::string& session) const;

 private:
  const CallOptions options_;
  const std::unique_ptr<v1::QuestionAnsweringService::Stub> stub_;
};

// A conversation over the Chat stream. One thread, apart from the stop request, which ends a call that waits.
class Conversation {
 public:
  Conversation(const std::shared_ptr<grpc::Channel>& channel, std::stop_token stop);
  ~Conversation();  // cancels what is not finished
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Sends a message and waits for what the server says to it. An error: the stream is over, and why.
  grpc::Status Say(const v1::ChatRequest& message, v1::ChatResponse& reply);
  // Ends the stream.
  grpc::Status Finish();

 private:
  struct Cancel {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };

  const std::unique_ptr<v1::QuestionAnsweringService::Stub> stub_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::ChatRequest, v1::ChatResponse>> stream_;
  const std::stop_callback<Cancel> on_stop_;
  bool finished_ = false;
};

}  // namespace heed::client
