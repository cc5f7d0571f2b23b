// SPDX-License-Identifier: Apache-2.0
// The whole server in this process, over a real socket, with a model for questions that is a fake: what the tests of
// heed.v1.QuestionAnsweringService share.
#pragma once

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "heed/v1/questions.grpc.pb.h"
#include "server/server.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/fake_translator.h"
#include "tests/support/temporary_directory.h"

namespace heed {

// Where sessions are kept: in memory, which calls back at once, or in a directory, which does so on threads of its own.
enum class Sessions { kInMemory, kInADirectory };

inline void PrintTo(Sessions sessions, std::ostream* out) {
  *out << (sessions == Sessions::kInMemory ? "InMemory" : "InADirectory");
}

// Models: "stories" is stories_, "words" a translator, "broken" does not load; others are further models for questions.
class QuestionServerTest : public ::testing::TestWithParam<Sessions> {
 protected:
  using Stub = v1::QuestionAnsweringService::Stub;

  QuestionServerTest() {
    AddModel("stories");
    AddModel("words");
    options_.models = root_.File("models");
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
    if (GetParam() == Sessions::kInADirectory) KeepFiles();
  }
  ~QuestionServerTest() override {
    stories_->gate().Release();
    server_.reset();
  }

  void AddModel(const std::string& name) {
    std::filesystem::create_directories(root_.path() / "models" / name);
    root_.Write(absl::StrCat("models/", name, "/config.json"), "{}");
  }
  // Sessions are kept in a directory that lives as long as the test.
  void KeepFiles() { options_.sessions = root_.File("sessions"); }

  // Ends the server that is there, if any.
  void Start() {
    server_.reset();
    auto server = Server::Start(options_, [this](const std::string& path, const std::string&) { return Load(path); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    stub_ = v1::QuestionAnsweringService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
  }
  absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string();
    if (name == "stories") return stories_;
    if (name == "words") return std::make_shared<FakeTranslator>(name);
    if (name == "broken") return absl::InvalidArgumentError("config.json: is broken");
    return std::make_shared<FakeQuestionAnswerer>(name, "another-fingerprint");
  }

  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);
  template <typename Request, typename Response>
  grpc::Status Call(Method<Request, Response> method, const Request& request, Response* response) {
    grpc::ClientContext context;
    response->Clear();
    return (stub_.get()->*method)(&context, request, response);
  }
  // Which must succeed.
  template <typename Request, typename Response>
  Response Called(Method<Request, Response> method, const Request& request) {
    Response response;
    const grpc::Status status = Call(method, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_code() << ": " << status.error_message();
    return response;
  }
  // Which must fail with `code`: the message.
  template <typename Request, typename Response>
  std::string ErrorOf(Method<Request, Response> method, const Request& request, grpc::StatusCode code) {
    Response response;
    const grpc::Status status = Call(method, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    return status.error_message();
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

  // A request that runs on a thread of its own.
  template <typename Request, typename Response>
  struct Pending {
    grpc::ClientContext context;
    Request request;
    Response response;
    grpc::Status status;
    std::thread thread;
  };
  template <typename Request, typename Response>
  std::unique_ptr<Pending<Request, Response>> Begin(Method<Request, Response> method, const Request& request) {
    auto pending = std::make_unique<Pending<Request, Response>>();
    pending->request = request;
    pending->thread = std::thread([this, method, p = pending.get()] {
      p->status = (stub_.get()->*method)(&p->context, p->request, &p->response);
    });
    return pending;
  }

  bool HasMetric(const std::string& line) { return server_->metrics().Text().find(line) != std::string::npos; }
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  // Until the server, which another thread shuts down, refuses new requests.
  void WaitUntilRefused() {
    v1::OpenSessionResponse response;
    while (Call(&Stub::OpenSession, v1::OpenSessionRequest(), &response).ok()) std::this_thread::yield();
  }

  TemporaryDirectory root_;
  ServerOptions options_;
  std::shared_ptr<FakeQuestionAnswerer> stories_ = std::make_shared<FakeQuestionAnswerer>("stories");
  std::unique_ptr<Server> server_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace heed
