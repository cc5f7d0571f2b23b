// SPDX-License-Identifier: Apache-2.0
// The whole server in this process, over a real socket, with fake models: what the tests of services with sessions
// share.
#pragma once

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "server/server.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {

// Where sessions are kept: in memory, which calls back at once, or in a directory, which does so on threads of its own.
enum class Sessions { kInMemory, kInADirectory };

inline void PrintTo(Sessions sessions, std::ostream* out) {
  *out << (sessions == Sessions::kInMemory ? "InMemory" : "InADirectory");
}

// `Service`: v1::QuestionAnsweringService and the like.
template <typename Service>
class SessionServerTest : public ::testing::TestWithParam<Sessions> {
 protected:
  using Stub = typename Service::Stub;

  SessionServerTest() {
    options_.models = root_.File("models");
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
    if (GetParam() == Sessions::kInADirectory) KeepFiles();
  }

  // The model of this name.
  virtual absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& name) = 0;

  void AddModel(const std::string& name) {
    std::filesystem::create_directories(root_.path() / "models" / name);
    root_.Write(absl::StrCat("models/", name, "/config.json"), "{}");
  }
  // Sessions are kept in a directory that lives as long as the test.
  void KeepFiles() { options_.sessions = root_.File("sessions"); }

  std::unique_ptr<Server> NewServer() {
    auto server = Server::Start(options_, [this](const std::string& path, const std::string&, Precision) {
      return Load(std::filesystem::path(path).filename().string());
    });
    EXPECT_TRUE(server.ok()) << server.status();
    (*server)->WaitUntilLoaded();
    return *std::move(server);
  }
  static std::shared_ptr<grpc::Channel> ChannelTo(const Server& server) {
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()), grpc::InsecureChannelCredentials());
  }
  // Ends the server that is there, if any.
  void Start() {
    server_.reset();
    server_ = NewServer();
    stub_ = Service::NewStub(ChannelTo(*server_));
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

  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  TemporaryDirectory root_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace heed
