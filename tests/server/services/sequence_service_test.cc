// SPDX-License-Identifier: Apache-2.0
// heed.v1.SequenceService end to end: the whole server in this process, over a real socket, with a model that is a
// fake.
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/sequences.grpc.pb.h"
#include "server/server.h"
#include "tests/support/fake_sequence_model.h"
#include "tests/support/fake_translator.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SequencesTest : public ::testing::Test {
 protected:
  SequencesTest() {
    AddModel("sums");
    AddModel("words");
    options_.models = root_.path().string();
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
  }
  ~SequencesTest() override {
    model_->gate().Release();
    server_.reset();
  }

  void AddModel(const std::string& name) {
    std::filesystem::create_directories(root_.path() / name);
    root_.Write(name + "/config.json", "{}");
  }
  void Start() {
    auto server = Server::Start(
        options_,
        [this](const std::string& path, const std::string&, Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
          const std::string name = std::filesystem::path(path).filename().string();
          if (name == "sums") return model_;
          if (name == "broken") return absl::InvalidArgumentError("config.json: is broken");
          return std::make_shared<FakeTranslator>(name);
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    stub_ = v1::SequenceService::NewStub(channel_);
  }

  static v1::RunSequenceRequest Request(int64_t width, const std::vector<float>& values) {
    v1::RunSequenceRequest request;
    request.set_width(width);
    request.mutable_values()->Assign(values.begin(), values.end());
    return request;
  }
  v1::RunSequenceResponse Ran(const v1::RunSequenceRequest& request) {
    grpc::ClientContext context;
    v1::RunSequenceResponse response;
    const grpc::Status status = stub_->RunSequence(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::string ErrorOf(const v1::RunSequenceRequest& request, StatusCode code) {
    grpc::ClientContext context;
    v1::RunSequenceResponse response;
    const grpc::Status status = stub_->RunSequence(&context, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    return status.error_message();
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  TemporaryDirectory root_;
  ServerOptions options_;
  std::shared_ptr<FakeSequenceModel> model_ = std::make_shared<FakeSequenceModel>("sums");
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SequenceService::Stub> stub_;
};

TEST_F(SequencesTest, EachRowHasItsOutput) {
  Start();
  const v1::RunSequenceResponse response = Ran(Request(3, {1, 10, 0, 2, 20, 0}));
  EXPECT_EQ(response.width(), 2);
  EXPECT_THAT(response.values(), ElementsAre(1, 10, 3, 30));
  EXPECT_EQ(response.model(), "sums");
}

TEST_F(SequencesTest, AnswerRowsAreAppendedAndAloneReturned) {
  Start();
  v1::RunSequenceRequest request = Request(3, {1, 10, 0, 2, 20, 0});
  request.set_answer_row_count(3);
  EXPECT_THAT(Ran(request).values(), ElementsAre(3, 30, 3, 30, 3, 30));
}

TEST_F(SequencesTest, DataIsFramedAndRepeated) {
  Start();
  v1::RunSequenceRequest request = Request(2, {1, 10, 2, 20});
  EXPECT_THAT(Ran(request).values(), ElementsAre(3, 30));
  request.set_repeat_count(2);
  EXPECT_THAT(Ran(request).values(), ElementsAre(3, 30, 3, 30));
}

TEST_F(SequencesTest, WhatTheModelDoesNotReadIsInvalidAndNamesBothValues) {
  Start();
  EXPECT_THAT(ErrorOf(Request(5, {1}), StatusCode::INVALID_ARGUMENT),
              HasSubstr("width: 5, the model reads rows of 3, or data of 2"));
  EXPECT_THAT(ErrorOf(Request(0, {}), StatusCode::INVALID_ARGUMENT), HasSubstr("width: 0"));
  EXPECT_THAT(ErrorOf(Request(3, {1, 2, 3, 4}), StatusCode::INVALID_ARGUMENT),
              HasSubstr("values: 4 are no whole rows of width 3"));
  EXPECT_THAT(ErrorOf(Request(3, {1, std::nanf(""), 3}), StatusCode::INVALID_ARGUMENT),
              HasSubstr("values[1]: nan is no number"));
  v1::RunSequenceRequest request = Request(3, {1, 2, 3});
  request.set_answer_row_count(kMaxSequenceRows);
  EXPECT_THAT(ErrorOf(request, StatusCode::INVALID_ARGUMENT), HasSubstr("65537 rows"));
}

TEST_F(SequencesTest, ModelIsFoundByNameOrByItsKind) {
  AddModel("broken");
  Start();
  v1::RunSequenceRequest request = Request(3, {1, 2, 3});
  EXPECT_EQ(Ran(request).model(), "sums");
  request.set_model("sums");
  EXPECT_EQ(Ran(request).model(), "sums");
  request.set_model("none");
  EXPECT_THAT(ErrorOf(request, StatusCode::NOT_FOUND), HasSubstr("\"none\""));
  request.set_model("words");
  EXPECT_THAT(ErrorOf(request, StatusCode::INVALID_ARGUMENT), HasSubstr("\"words\" is a translator"));
  request.set_model("broken");
  EXPECT_THAT(ErrorOf(request, StatusCode::UNAVAILABLE), HasSubstr("config.json: is broken"));
}

TEST_F(SequencesTest, ErrorOfTheModelIsInternal) {
  Start();
  EXPECT_THAT(ErrorOf(Request(3, {1, 2, 3, -1, 0, 0}), StatusCode::INTERNAL), HasSubstr("told to fail"));
}

TEST_F(SequencesTest, CancelledSequenceEndsBetweenRows) {
  Start();
  model_->gate().Hold();
  grpc::ClientContext context;
  v1::RunSequenceResponse response;
  grpc::Status status;
  std::thread running(
      [&] { status = stub_->RunSequence(&context, Request(3, std::vector<float>(3 * 60'000, 1)), &response); });
  model_->gate().WaitUntilHeld();
  context.TryCancel();
  running.join();
  EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
  model_->gate().Release();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.SequenceService/RunSequence\"} 0");
  EXPECT_TRUE(HasMetric("heed_cancellations_total{model=\"sums\",reason=\"client\"} 1"));
}

TEST_F(SequencesTest, FullQueueIsResourceExhaustedWithARetryHint) {
  options_.max_queued_requests = 1;
  options_.max_running_tasks = 1;
  Start();
  model_->gate().Hold();
  std::vector<std::thread> others;
  auto begin = [&] { others.emplace_back([this] { Ran(Request(3, {1, 2, 3})); }); };
  begin();
  model_->gate().WaitUntilHeld();
  begin();
  WaitForMetric("heed_queued_requests{model=\"sums\"} 1");
  grpc::ClientContext context;
  v1::RunSequenceResponse response;
  const grpc::Status status = stub_->RunSequence(&context, Request(3, {1, 2, 3}), &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  model_->gate().Release();
  for (std::thread& other : others) other.join();
}

TEST_F(SequencesTest, ListTellsTheModelsKind) {
  Start();
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(v1::ModelService::NewStub(channel_)->ListModels(&context, {}, &response).ok());
  ASSERT_EQ(response.models_size(), 2);
  EXPECT_EQ(response.models(0).kind(), v1::MODEL_KIND_SEQUENCE_MODEL);
  EXPECT_EQ(response.models(0).fingerprint(), "");  // its sessions are not kept
}

}  // namespace
}  // namespace heed
