// SPDX-License-Identifier: Apache-2.0
// ModelService.ListModelStatistics: what a model has to do, and has done.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "google/protobuf/util/time_util.h"
#include "heed/v1/models.grpc.pb.h"
#include "tests/server/services/translation_server.h"

namespace heed {
namespace {

class ModelStatisticsTest : public TranslationServerTest {
 protected:
  ModelStatisticsTest() {
    options_.max_running_tasks = 1;
    options_.max_queued_requests = 5;
    Start();
    channel_ = Connect();
  }

  grpc::Status Ask(const std::string& model, v1::ListModelStatisticsResponse& response) {
    grpc::ClientContext context;
    v1::ListModelStatisticsRequest request;
    request.set_model(model);
    return v1::ModelService::NewStub(channel_)->ListModelStatistics(&context, request, &response);
  }
  v1::ModelStatistics Statistics() {
    v1::ListModelStatisticsResponse response;
    const grpc::Status status = Ask("", response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.statistics_size(), 1);
    return response.statistics(0);
  }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(ModelStatisticsTest, TellsWhatWaitsAndRuns) {
  v1::ModelStatistics idle = Statistics();
  EXPECT_EQ(idle.model(), "fake");
  EXPECT_EQ(idle.model_version(), 1);
  EXPECT_EQ(idle.max_queued_requests(), 5);
  EXPECT_EQ(idle.queued_requests() + idle.queued_tasks() + idle.running_tasks(), 0);

  model_->Hold();
  std::vector<std::thread> callers;
  callers.emplace_back([this] { EXPECT_TRUE(Translate(channel_, "", "one. two. three.").ok()); });
  model_->WaitUntilHeld();  // the first sentence runs, two wait
  callers.emplace_back([this] { EXPECT_TRUE(Translate(channel_, "", "four.").ok()); });
  while (Statistics().queued_requests() < 1) std::this_thread::yield();
  const v1::ModelStatistics busy = Statistics();
  EXPECT_EQ(busy.running_tasks(), 1);
  EXPECT_EQ(busy.queued_tasks(), 3);
  EXPECT_EQ(busy.succeeded_requests(), idle.succeeded_requests());

  model_->Release();
  for (std::thread& caller : callers) caller.join();
  while (Statistics().succeeded_requests() < idle.succeeded_requests() + 2) std::this_thread::yield();
  const v1::ModelStatistics done = Statistics();
  EXPECT_EQ(done.queued_requests() + done.queued_tasks() + done.running_tasks(), 0);
  EXPECT_EQ(done.completed_tasks(), idle.completed_tasks() + 4);
  EXPECT_EQ(done.started_requests(), idle.started_requests() + 2);
  EXPECT_EQ(done.step_task_count(), idle.step_task_count() + 4);  // a word and a task each
  EXPECT_EQ(done.step_count(), idle.step_count() + 4);
  using google::protobuf::util::TimeUtil;
  EXPECT_GT(TimeUtil::DurationToNanoseconds(done.queue_duration()), 0);
  EXPECT_GT(TimeUtil::DurationToNanoseconds(done.step_duration()), 0);
  EXPECT_GE(TimeUtil::DurationToNanoseconds(done.total_duration()),
            TimeUtil::DurationToNanoseconds(done.step_duration()));
}

TEST_F(ModelStatisticsTest, FailuresCountApart) {
  const v1::ModelStatistics before = Statistics();
  EXPECT_EQ(Translate(channel_, "", "fail").error_code(), grpc::StatusCode::INTERNAL);
  while (Statistics().failed_requests() == before.failed_requests()) std::this_thread::yield();
  EXPECT_EQ(Statistics().failed_requests(), before.failed_requests() + 1);
  EXPECT_EQ(Statistics().succeeded_requests(), before.succeeded_requests());
}

TEST_F(ModelStatisticsTest, OneModelOrAnError) {
  v1::ListModelStatisticsResponse response;
  EXPECT_TRUE(Ask("fake", response).ok());
  EXPECT_EQ(response.statistics_size(), 1);
  const grpc::Status status = Ask("none", response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(status.error_message().find("none"), std::string::npos);
}

}  // namespace
}  // namespace heed
