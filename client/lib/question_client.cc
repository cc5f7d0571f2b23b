// SPDX-License-Identifier: Apache-2.0
#include "client/lib/question_client.h"

#include <utility>

namespace heed::client {

QuestionClient::QuestionClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)), stub_(v1::QuestionAnsweringService::NewStub(channel)) {}

grpc::Status QuestionClient::Answer(const v1::AnswerRequest& request, v1::AnswerResponse& response) const {
  return CallWithRetry(options_, Repeat::kAlways,
                       [&](grpc::ClientContext& context) { return stub_->Answer(&context, request, &response); });
}

grpc::Status QuestionClient::Open(const std::string& model, v1::QuestionSession& session, int64_t model_version) const {
  v1::OpenSessionRequest request;
  request.set_model(model);
  request.set_model_version(model_version);
  v1::OpenSessionResponse response;
  const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    return stub_->OpenSession(&context, request, &response);
  });
  session = response.session();
  return status;
}

grpc::Status QuestionClient::Tell(const v1::TellRequest& request, v1::TellResponse& response) const {
  return CallWithRetry(options_, request.request_id().empty() ? Repeat::kIfRefused : Repeat::kAlways,
                       [&](grpc::ClientContext& context) { return stub_->Tell(&context, request, &response); });
}

grpc::Status QuestionClient::Ask(const v1::AskRequest& request, v1::AskResponse& response) const {
  const bool repeatable = !request.commit() || !request.request_id().empty();
  return CallWithRetry(options_, repeatable ? Repeat::kAlways : Repeat::kIfRefused,
                       [&](grpc::ClientContext& context) { return stub_->Ask(&context, request, &response); });
}

grpc::Status QuestionClient::Fork(const std::string& session, v1::QuestionSession& copy) const {
  v1::ForkSessionRequest request;
  request.set_session(session);
  v1::ForkSessionResponse response;
  const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    return stub_->ForkSession(&context, request, &response);
  });
  copy = response.session();
  return status;
}

grpc::Status QuestionClient::Export(const std::string& session, v1::ExportSessionResponse& response) const {
  v1::ExportSessionRequest request;
  request.set_session(session);
  return CallWithRetry(options_, Repeat::kAlways, [&](grpc::ClientContext& context) {
    return stub_->ExportSession(&context, request, &response);
  });
}

grpc::Status QuestionClient::Import(const v1::ImportSessionRequest& request, v1::QuestionSession& session) const {
  v1::ImportSessionResponse response;
  const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    return stub_->ImportSession(&context, request, &response);
  });
  session = response.session();
  return status;
}

grpc::Status QuestionClient::Close(const std::string& session) const {
  v1::CloseSessionRequest request;
  request.set_session(session);
  v1::CloseSessionResponse response;
  return CallWithRetry(options_, Repeat::kIfRefused,
                       [&](grpc::ClientContext& context) { return stub_->CloseSession(&context, request, &response); });
}

Conversation::Conversation(const std::shared_ptr<grpc::Channel>& channel, std::stop_token stop)
    : stub_(v1::QuestionAnsweringService::NewStub(channel)),
      stream_(stub_->Chat(&context_)),
      on_stop_(std::move(stop), Cancel{&context_}) {}

Conversation::~Conversation() {
  if (finished_) return;
  context_.TryCancel();
  stream_->Finish();
}

grpc::Status Conversation::Say(const v1::ChatRequest& message, v1::ChatResponse& reply) {
  if (stream_->Write(message) && stream_->Read(&reply)) return grpc::Status::OK;
  const grpc::Status status = Finish();
  return status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server ended the conversation") : status;
}

grpc::Status Conversation::Finish() {
  finished_ = true;
  stream_->WritesDone();
  return stream_->Finish();
}

}  // namespace heed::client
