// SPDX-License-Identifier: Apache-2.0
// The whole server in this process, over a real socket, with a language model that is a fake: what the tests of
// heed.v1.LanguageModelingService share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "heed/v1/language_modeling.grpc.pb.h"
#include "heed/v1/questions.grpc.pb.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/session_server.h"

namespace heed {

// Models: "books" is books_, "stories" a model for questions; those that a test adds are further language models, of
// other weights.
class LanguageServerTest : public SessionServerTest<v1::LanguageModelingService> {
 protected:
  static constexpr grpc::StatusCode kInvalid = grpc::StatusCode::INVALID_ARGUMENT;

  LanguageServerTest() {
    AddModel("books");
    AddModel("stories");
  }
  ~LanguageServerTest() override {
    books_->gate().Release();
    server_.reset();
  }

  absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& name) override {
    if (name == "books") return books_;
    if (name == "stories") return std::make_shared<FakeQuestionAnswerer>(name);
    return std::make_shared<FakeLanguageModel>(name, "another-fingerprint");
  }
  // From the next Start on.
  void SetModel(FakeLanguageOptions options, const std::string& fingerprint = "fake-fingerprint") {
    books_ = std::make_shared<FakeLanguageModel>("books", fingerprint, options);
  }

  static v1::ScoreRequest ScoreRequest(const std::vector<std::string>& texts) {
    v1::ScoreRequest request;
    for (const std::string& text : texts) request.add_items()->set_text(text);
    return request;
  }
  static v1::ScoreRequest ScoreBehind(const std::string& session, const std::string& text) {
    v1::ScoreRequest request = ScoreRequest({text});
    request.set_session(session);
    return request;
  }
  static v1::GenerateRequest GenerateRequest(const std::string& prompt, int max_tokens = 3) {
    v1::GenerateRequest request;
    request.set_prompt(prompt);
    request.mutable_options()->set_max_tokens(max_tokens);
    return request;
  }
  static v1::GenerateRequest GenerateFrom(const std::string& session, const std::string& prompt, bool commit) {
    v1::GenerateRequest request = GenerateRequest(prompt);
    request.set_session(session);
    request.set_commit(commit);
    return request;
  }
  static v1::ReadTextRequest ReadRequest(const std::string& session, const std::string& text) {
    v1::ReadTextRequest request;
    request.set_session(session);
    request.set_text(text);
    return request;
  }
  // A request with nothing but a session.
  template <typename Request>
  static Request On(const std::string& session) {
    Request request;
    request.set_session(session);
    return request;
  }

  // The name of a new session.
  std::string Open() { return Called(&Stub::OpenTextSession, v1::OpenTextSessionRequest()).session().name(); }
  v1::ReadTextResponse Read(const std::string& session, const std::string& text) {
    return Called(&Stub::ReadText, ReadRequest(session, text));
  }
  // The log-probability of a text behind what the session has read.
  double ScoreOf(const std::string& session, const std::string& text) {
    return Called(&Stub::Score, ScoreBehind(session, text)).scores(0).log_probability();
  }
  // The session as it is, as an export tells.
  v1::TextSession SessionNow(const std::string& session) {
    return Called(&Stub::ExportTextSession, On<v1::ExportTextSessionRequest>(session)).session();
  }
  std::string Export(const std::string& session) {
    return Called(&Stub::ExportTextSession, On<v1::ExportTextSessionRequest>(session)).data();
  }
  void Close(const std::string& session) { Called(&Stub::CloseTextSession, On<v1::CloseTextSessionRequest>(session)); }

  // Until the server, which another thread shuts down, refuses new requests.
  void WaitUntilRefused() {
    v1::OpenTextSessionResponse response;
    while (Call(&Stub::OpenTextSession, v1::OpenTextSessionRequest(), &response).ok()) std::this_thread::yield();
  }

  std::shared_ptr<FakeLanguageModel> books_ = std::make_shared<FakeLanguageModel>("books");
};

}  // namespace heed
