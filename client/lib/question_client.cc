#include "client/lib/question_client.h"

#include <utility>

namespace heed::client {

QuestionClient::QuestionClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)), stub_(v1::QuestionAnswering::NewStub(channel)) {}

grpc::Status QuestionClient::Call(bool repeatable,
                                  const std::function<grpc::Status(grpc::ClientContext& context)>& call) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    const grpc::Status status = call(context);
    // The server refused to begin with what it asks to send again later.
    may_retry = repeatable || RetryHint(context).has_value();
    return status;
  });
}

grpc::Status QuestionClient::Answer(const v1::AnswerRequest& request, v1::AnswerResponse& response) const {
  return CallWithRetry(
      options_, [&](grpc::ClientContext& context, bool&) { return stub_->Answer(&context, request, &response); });
}

grpc::Status QuestionClient::Open(const std::string& model, v1::Session& session) const {
  v1::OpenRequest request;
  request.set_model(model);
  return Call(false, [&](grpc::ClientContext& context) { return stub_->Open(&context, request, &session); });
}

grpc::Status QuestionClient::Tell(const v1::TellRequest& request, v1::TellResponse& response) const {
  return Call(!request.request_id().empty(),
              [&](grpc::ClientContext& context) { return stub_->Tell(&context, request, &response); });
}

grpc::Status QuestionClient::Ask(const v1::AskRequest& request, v1::AskResponse& response) const {
  return Call(!request.commit() || !request.request_id().empty(),
              [&](grpc::ClientContext& context) { return stub_->Ask(&context, request, &response); });
}

grpc::Status QuestionClient::Fork(const std::string& session, v1::Session& copy) const {
  v1::ForkRequest request;
  request.set_session(session);
  return Call(false, [&](grpc::ClientContext& context) { return stub_->Fork(&context, request, &copy); });
}

grpc::Status QuestionClient::Export(const std::string& session, v1::ExportResponse& response) const {
  v1::ExportRequest request;
  request.set_session(session);
  return Call(true, [&](grpc::ClientContext& context) { return stub_->Export(&context, request, &response); });
}

grpc::Status QuestionClient::Import(const v1::ImportRequest& request, v1::Session& session) const {
  return Call(false, [&](grpc::ClientContext& context) { return stub_->Import(&context, request, &session); });
}

grpc::Status QuestionClient::Close(const std::string& session) const {
  v1::CloseRequest request;
  request.set_session(session);
  v1::CloseResponse response;
  return Call(false, [&](grpc::ClientContext& context) { return stub_->Close(&context, request, &response); });
}

Conversation::Conversation(const std::shared_ptr<grpc::Channel>& channel, std::stop_token stop)
    : stub_(v1::QuestionAnswering::NewStub(channel)),
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
