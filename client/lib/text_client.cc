// SPDX-License-Identifier: Apache-2.0
#include "client/lib/text_client.h"

#include <stop_token>
#include <thread>
#include <utility>

#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"

namespace heed::client {
namespace {

using TextStub = v1::LanguageModelingService::Stub;

template <typename Request, typename Response>
grpc::Status CallTexts(const CallOptions& options, Repeat repeat, TextStub& stub,
                       grpc::Status (TextStub::*method)(grpc::ClientContext*, const Request&, Response*),
                       const Request& request, Response& response) {
  return CallWithRetry(options, repeat,
                       [&](grpc::ClientContext& context) { return (stub.*method)(&context, request, &response); });
}

Repeat RepeatOf(bool changes, const std::string& request_id) {
  return changes && request_id.empty() ? Repeat::kIfRefused : Repeat::kAlways;
}

}  // namespace

TextClient::TextClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)), stub_(v1::LanguageModelingService::NewStub(channel)) {}

grpc::Status TextClient::Score(const v1::ScoreRequest& request, v1::ScoreResponse& response) const {
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::Score, request, response);
}

grpc::Status TextClient::Generate(const v1::GenerateRequest& request, v1::GenerateResponse& response) const {
  return CallTexts(options_, RepeatOf(request.commit(), request.request_id()), *stub_, &TextStub::Generate, request,
                   response);
}

grpc::Status TextClient::GenerateStream(const v1::GenerateStreamRequest& request,
                                        const std::function<bool(const v1::GenerateStreamResponse&)>& on_event) const {
  return CallWithRetry(options_, Repeat::kAlways, [&](grpc::ClientContext& context, Repeat& repeat) {
    const auto reader = stub_->GenerateStream(&context, request);
    v1::GenerateStreamResponse event;
    bool wanted = true;
    while (wanted && reader->Read(&event)) {
      repeat = Repeat::kNever;
      wanted = on_event(event);
    }
    if (!wanted) context.TryCancel();
    return reader->Finish();
  });
}

grpc::Status TextClient::FillIn(const v1::FillInRequest& request, v1::FillInResponse& response) const {
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::FillIn, request, response);
}

grpc::Status TextClient::ClassifyTexts(const v1::ClassifyTextsRequest& request,
                                       v1::ClassifyTextsResponse& response) const {
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::ClassifyTexts, request, response);
}

grpc::Status TextClient::TagTexts(const v1::TagTextsRequest& request, v1::TagTextsResponse& response) const {
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::TagTexts, request, response);
}

grpc::Status TextClient::AnswerFromText(const v1::AnswerFromTextRequest& request,
                                        v1::AnswerFromTextResponse& response) const {
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::AnswerFromText, request, response);
}

grpc::Status TextClient::EmbedTexts(const v1::EmbedTextsRequest& request, v1::EmbedTextsResponse& response) const {
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::EmbedTexts, request, response);
}

grpc::Status TextClient::Open(const v1::OpenTextSessionRequest& request, v1::TextSession& session) const {
  v1::OpenTextSessionResponse response;
  const grpc::Status status =
      CallTexts(options_, Repeat::kIfRefused, *stub_, &TextStub::OpenTextSession, request, response);
  session = response.session();
  return status;
}

grpc::Status TextClient::Read(const v1::ReadTextRequest& request, v1::ReadTextResponse& response) const {
  return CallTexts(options_, RepeatOf(true, request.request_id()), *stub_, &TextStub::ReadText, request, response);
}

grpc::Status TextClient::Fork(const std::string& session, v1::TextSession& copy) const {
  v1::ForkTextSessionRequest request;
  request.set_session(session);
  v1::ForkTextSessionResponse response;
  const grpc::Status status =
      CallTexts(options_, Repeat::kIfRefused, *stub_, &TextStub::ForkTextSession, request, response);
  copy = response.session();
  return status;
}

grpc::Status TextClient::Export(const std::string& session, v1::ExportTextSessionResponse& response) const {
  v1::ExportTextSessionRequest request;
  request.set_session(session);
  return CallTexts(options_, Repeat::kAlways, *stub_, &TextStub::ExportTextSession, request, response);
}

grpc::Status TextClient::Import(const v1::ImportTextSessionRequest& request, v1::TextSession& session) const {
  v1::ImportTextSessionResponse response;
  const grpc::Status status =
      CallTexts(options_, Repeat::kIfRefused, *stub_, &TextStub::ImportTextSession, request, response);
  session = response.session();
  return status;
}

grpc::Status TextClient::Close(const std::string& session) const {
  v1::CloseTextSessionRequest request;
  request.set_session(session);
  v1::CloseTextSessionResponse response;
  return CallTexts(options_, Repeat::kIfRefused, *stub_, &TextStub::CloseTextSession, request, response);
}

grpc::Status TextClient::ReadStream(const v1::ReadTextStreamRequest& first,
                                    const std::function<bool(std::string& piece)>& next,
                                    const std::function<void(const v1::ReadTextStreamResponse&)>& on_response) const {
  grpc::ClientContext context;
  if (options_.deadline.count() > 0) context.set_deadline(std::chrono::system_clock::now() + options_.deadline);
  const std::stop_callback cancel(options_.stop, [&context] { context.TryCancel(); });
  const auto stream = stub_->ReadTextStream(&context);
  std::thread reader([&] {
    v1::ReadTextStreamResponse response;
    while (stream->Read(&response)) on_response(response);
  });
  bool open = stream->Write(first);
  v1::ReadTextStreamRequest piece;
  while (open && next(*piece.mutable_text())) open = stream->Write(piece);
  if (open) stream->WritesDone();
  reader.join();
  return stream->Finish();
}

v1::GenerateStreamRequest StreamRequestOf(const v1::GenerateRequest& request) {
  v1::GenerateStreamRequest stream;
  stream.set_model(request.model());
  stream.set_model_version(request.model_version());
  stream.set_prompt(request.prompt());
  stream.set_session(request.session());
  if (request.has_expected_version()) stream.set_expected_version(request.expected_version());
  if (request.has_options()) *stream.mutable_options() = request.options();
  return stream;
}

}  // namespace heed::client
