// SPDX-License-Identifier: Apache-2.0
// The whole server in this process, over a real socket, with a model for questions that is a fake: what the tests of
// heed.v1.QuestionAnsweringService share.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "heed/v1/questions.grpc.pb.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/fake_translator.h"
#include "tests/support/session_server.h"

namespace heed {

// Models: "stories" is stories_, "words" a translator, "broken" does not load; others are further models for questions.
class QuestionServerTest : public SessionServerTest<v1::QuestionAnsweringService> {
 protected:
  QuestionServerTest() {
    AddModel("stories");
    AddModel("words");
  }
  ~QuestionServerTest() override {
    stories_->gate().Release();
    server_.reset();
  }

  absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& name) override {
    if (name == "stories") return stories_;
    if (name == "words") return std::make_shared<FakeTranslator>(name);
    if (name == "broken") return absl::InvalidArgumentError("config.json: is broken");
    return std::make_shared<FakeQuestionAnswerer>(name, "another-fingerprint");
  }

  static v1::AnswerRequest AnswerRequest(const std::vector<std::string>& facts,
                                         const std::vector<std::string>& questions) {
    v1::AnswerRequest request;
    request.mutable_facts()->Assign(facts.begin(), facts.end());
    for (const std::string& question : questions) request.add_questions()->set_text(question);
    return request;
  }
  static v1::TellRequest TellRequest(const std::string& session, const std::vector<std::string>& facts) {
    v1::TellRequest request;
    request.set_session(session);
    request.mutable_facts()->Assign(facts.begin(), facts.end());
    return request;
  }
  static v1::AskRequest AskRequest(const std::string& session, const std::vector<std::string>& questions) {
    v1::AskRequest request;
    request.set_session(session);
    request.mutable_questions()->Assign(questions.begin(), questions.end());
    return request;
  }
  static v1::ForkSessionRequest ForkRequest(const std::string& session) {
    v1::ForkSessionRequest request;
    request.set_session(session);
    return request;
  }
  static v1::ExportSessionRequest ExportRequest(const std::string& session) {
    v1::ExportSessionRequest request;
    request.set_session(session);
    return request;
  }
  static v1::ImportSessionRequest ImportRequest(const std::string& data, const std::string& model = "") {
    v1::ImportSessionRequest request;
    request.set_data(data);
    request.set_model(model);
    return request;
  }

  // The name of a new session.
  std::string Open() { return Called(&Stub::OpenSession, v1::OpenSessionRequest()).session().name(); }
  v1::TellResponse Tell(const std::string& session, const std::vector<std::string>& facts) {
    return Called(&Stub::Tell, TellRequest(session, facts));
  }
  // The session as it is, and the fact that it was told last or "nothing".
  v1::AskResponse Ask(const std::string& session) { return Called(&Stub::Ask, AskRequest(session, {"what"})); }
  void Close(const std::string& session) {
    v1::CloseSessionRequest request;
    request.set_session(session);
    Called(&Stub::CloseSession, request);
  }

  // Until the server, which another thread shuts down, refuses new requests.
  void WaitUntilRefused() {
    v1::OpenSessionResponse response;
    while (Call(&Stub::OpenSession, v1::OpenSessionRequest(), &response).ok()) std::this_thread::yield();
  }

  std::shared_ptr<FakeQuestionAnswerer> stories_ = std::make_shared<FakeQuestionAnswerer>("stories");
};

}  // namespace heed
