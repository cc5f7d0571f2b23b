// SPDX-License-Identifier: Apache-2.0
// heed.v1.QuestionAnsweringService of several servers on one Redis, over real sockets.
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/server/services/question_server.h"
#include "tests/support/redis_server.h"

namespace heed {
namespace {

using grpc::StatusCode;

class QuestionsRedisTest : public QuestionServerTest {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed: sessions in Redis are NOT tested";
    redis_ = std::make_unique<RedisServer>();
    options_.sessions = redis_->url();
    options_.drain_timeout_s = 60;
    Start();
  }

  std::unique_ptr<RedisServer> redis_;
};

TEST_P(QuestionsRedisTest, ConversationGoesOnAtAnotherServer) {
  const std::string session = Open();
  Tell(session, {"a"});
  const std::unique_ptr<Server> other = NewServer();
  const auto first = std::move(stub_);
  stub_ = v1::QuestionAnsweringService::NewStub(ChannelTo(*other));
  EXPECT_EQ(Tell(session, {"b"}).session().version(), 3);
  EXPECT_EQ(Ask(session).answers(0).text(), "b");
  Close(session);
  v1::AskResponse response;
  grpc::ClientContext context;
  const grpc::Status status = first->Ask(&context, AskRequest(session, {"what"}), &response);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "session: it was closed");
}

TEST_P(QuestionsRedisTest, ShutdownFinishesATellThatWaitsForRedis) {
  const std::string session = Open();
  redis_->Hang();
  auto tell = Begin(&Stub::Tell, TellRequest(session, {"a"}));
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Tell\"} 1");
  std::thread shutdown([this] { server_->Shutdown(); });
  // Asked of what needs no Redis, so that the Tell is not kept waiting for longer than it has patience.
  v1::AnswerResponse answer;
  while (Call(&Stub::Answer, AnswerRequest({}, {"what"}), &answer).ok()) std::this_thread::yield();
  redis_->Continue();
  tell->thread.join();
  EXPECT_TRUE(tell->status.ok()) << tell->status.error_message();
  shutdown.join();
  Start();
  EXPECT_EQ(Ask(session).session().fact_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Redis, QuestionsRedisTest, testing::Values(Sessions::kInMemory),
                         [](const auto&) { return "Redis"; });

}  // namespace
}  // namespace heed
