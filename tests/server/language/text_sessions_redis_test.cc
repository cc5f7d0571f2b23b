// SPDX-License-Identifier: Apache-2.0
// Sessions of heed.v1.LanguageModelingService of several servers on one Redis, over real sockets.
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/server/language/language_server.h"
#include "tests/support/redis_server.h"

namespace heed {
namespace {

class TextSessionsRedisTest : public LanguageServerTest {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed: sessions in Redis are NOT tested";
    redis_ = std::make_unique<RedisServer>();
    options_.sessions = redis_->url();
    Start();
  }

  std::unique_ptr<RedisServer> redis_;
};

TEST_P(TextSessionsRedisTest, TextGoesOnAtAnotherServer) {
  const std::string session = Open();
  Read(session, "to be or not");
  const std::unique_ptr<Server> other = NewServer();
  const auto first = std::move(stub_);
  stub_ = v1::LanguageModelingService::NewStub(ChannelTo(*other));
  EXPECT_EQ(Read(session, "to be").session().version(), 3);
  EXPECT_EQ(ScoreOf(session, "not now"), -3);
  v1::ScoreResponse scored;
  grpc::ClientContext context;
  ASSERT_TRUE(first->Score(&context, ScoreBehind(session, "not now"), &scored).ok());
  EXPECT_EQ(scored.scores(0).log_probability(), -3);
  Close(session);
  v1::ReadTextResponse response;
  grpc::ClientContext closed;
  EXPECT_EQ(first->ReadText(&closed, ReadRequest(session, "a"), &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(TextSessionsRedisTest, RequestIdIsKnownAtTheOtherServer) {
  const std::string session = Open();
  v1::ReadTextRequest request = ReadRequest(session, "a b");
  request.set_request_id("one");
  Called(&Stub::ReadText, request);
  const std::unique_ptr<Server> other = NewServer();
  stub_ = v1::LanguageModelingService::NewStub(ChannelTo(*other));
  const v1::ReadTextResponse again = Called(&Stub::ReadText, request);
  EXPECT_TRUE(again.repeated_request());
  EXPECT_EQ(again.session().version(), 2);
}

INSTANTIATE_TEST_SUITE_P(Redis, TextSessionsRedisTest, testing::Values(Sessions::kInMemory),
                         [](const auto&) { return "Redis"; });

}  // namespace
}  // namespace heed
