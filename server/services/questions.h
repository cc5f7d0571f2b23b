// heed.v1.QuestionAnswering: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/questions.grpc.pb.h"
#include "server/services/question_chat.h"
#include "server/services/question_exchange.h"

namespace heed {

// Thread-safe. Outlives the calls it answers.
class QuestionsService : public v1::QuestionAnswering::CallbackService {
 public:
  explicit QuestionsService(const QuestionParts& parts);

  // After Scheduler::Refuse: ends the chats that are under way, each behind the message that it is about.
  void Refuse() { chats_.Refuse(); }

  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const v1::AnswerRequest* request,
                                   v1::AnswerResponse* response) override;
  grpc::ServerUnaryReactor* Open(grpc::CallbackServerContext* context, const v1::OpenRequest* request,
                                 v1::Session* response) override;
  grpc::ServerUnaryReactor* Tell(grpc::CallbackServerContext* context, const v1::TellRequest* request,
                                 v1::TellResponse* response) override;
  grpc::ServerUnaryReactor* Ask(grpc::CallbackServerContext* context, const v1::AskRequest* request,
                                v1::AskResponse* response) override;
  grpc::ServerUnaryReactor* Fork(grpc::CallbackServerContext* context, const v1::ForkRequest* request,
                                 v1::Session* response) override;
  grpc::ServerUnaryReactor* Export(grpc::CallbackServerContext* context, const v1::ExportRequest* request,
                                   v1::ExportResponse* response) override;
  grpc::ServerUnaryReactor* Import(grpc::CallbackServerContext* context, const v1::ImportRequest* request,
                                   v1::Session* response) override;
  grpc::ServerUnaryReactor* Close(grpc::CallbackServerContext* context, const v1::CloseRequest* request,
                                  v1::CloseResponse* response) override;

 private:
  class AnswerCall;
  template <typename Response>
  class ExchangeCall;
  class StoreCall;

  const QuestionParts parts_;
  QuestionChats chats_;
};

}  // namespace heed
