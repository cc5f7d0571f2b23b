// SPDX-License-Identifier: Apache-2.0
// heed.v1.QuestionAnsweringService: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/questions.grpc.pb.h"
#include "server/services/question_chat.h"
#include "server/session_calls/session_parts.h"

namespace heed {

// Thread-safe. Outlives the calls it answers.
class QuestionAnsweringService : public v1::QuestionAnsweringService::CallbackService {
 public:
  explicit QuestionAnsweringService(const SessionParts& parts);

  // After Scheduler::Refuse: ends the chats that are under way, each behind the message that it is about.
  void Refuse() { chats_.Refuse(); }

  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const v1::AnswerRequest* request,
                                   v1::AnswerResponse* response) override;
  grpc::ServerUnaryReactor* OpenSession(grpc::CallbackServerContext* context, const v1::OpenSessionRequest* request,
                                        v1::OpenSessionResponse* response) override;
  grpc::ServerUnaryReactor* Tell(grpc::CallbackServerContext* context, const v1::TellRequest* request,
                                 v1::TellResponse* response) override;
  grpc::ServerUnaryReactor* Ask(grpc::CallbackServerContext* context, const v1::AskRequest* request,
                                v1::AskResponse* response) override;
  grpc::ServerUnaryReactor* ForkSession(grpc::CallbackServerContext* context, const v1::ForkSessionRequest* request,
                                        v1::ForkSessionResponse* response) override;
  grpc::ServerUnaryReactor* ExportSession(grpc::CallbackServerContext* context, const v1::ExportSessionRequest* request,
                                          v1::ExportSessionResponse* response) override;
  grpc::ServerUnaryReactor* ImportSession(grpc::CallbackServerContext* context, const v1::ImportSessionRequest* request,
                                          v1::ImportSessionResponse* response) override;
  grpc::ServerUnaryReactor* CloseSession(grpc::CallbackServerContext* context, const v1::CloseSessionRequest* request,
                                         v1::CloseSessionResponse* response) override;

 private:
  class AnswerCall;

  const SessionParts parts_;
  QuestionChats chats_;
};

}  // namespace heed
