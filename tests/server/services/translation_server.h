// SPDX-License-Identifier: Apache-2.0
// The whole server in this process, over a real socket, with one translator that is a fake: for tests of what stands in
// front of every method.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "heed/v1/translation.grpc.pb.h"
#include "server/server.h"
#include "tests/support/fake_translator.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {

class TranslationServerTest : public ::testing::Test {
 protected:
  TranslationServerTest() {
    std::filesystem::create_directories(root_.path() / "models" / "fake");
    root_.Write("models/fake/config.json", "{}");
    options_.models = root_.File("models");
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
  }
  ~TranslationServerTest() override {
    model_->Release();
    server_.reset();
  }

  absl::Status TryToStart() {
    auto server = Server::Start(options_, [this](const std::string&, const std::string&, Precision) { return model_; });
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    return absl::OkStatus();
  }
  void Start() {
    const absl::Status status = TryToStart();
    ASSERT_TRUE(status.ok()) << status;
  }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> Connect(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials = grpc::InsecureChannelCredentials()) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()), credentials, arguments);
  }
  static grpc::Status Translate(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization = "",
                                const std::string& text = "a") {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    v1::TranslateRequest request;
    v1::TranslateResponse response;
    request.add_texts(text);
    return v1::TranslationService::NewStub(channel)->Translate(&context, request, &response);
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  const TemporaryDirectory root_;
  ServerOptions options_;
  std::shared_ptr<FakeTranslator> model_ = std::make_shared<FakeTranslator>();
  std::unique_ptr<Server> server_;
};

}  // namespace heed
