// SPDX-License-Identifier: Apache-2.0
// What one client may take of the server: bytes of a message, calls of a connection, the connection's age.
#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/tcp_connection.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

using LimitsTest = TranslationServerTest;

// What an HTTP/2 client says first: the preface and its settings, which are the defaults.
const std::string kGreeting = std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9);

TEST_F(LimitsTest, AMessageOfTheLimitIsServedAndALargerOneRefused) {
  constexpr size_t kLimit = 4096;
  options_.max_message_bytes = kLimit;
  Start();
  const auto channel = Connect();
  v1::TranslateRequest request;
  request.add_texts(std::string(kLimit - 100, 'a'));
  const size_t frame = request.ByteSizeLong() - (kLimit - 100);  // what the message adds to its text
  EXPECT_TRUE(Translate(channel, "", std::string(kLimit - frame, 'a')).ok());
  for (const size_t size : {kLimit - frame + 1, 100 * kLimit, 10'000 * kLimit}) {
    const grpc::Status status = Translate(channel, "", std::string(size, 'a'));
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << size;
    EXPECT_THAT(status.error_message(), HasSubstr("4096")) << size;
  }
  EXPECT_TRUE(Translate(channel).ok());
}

TEST_F(LimitsTest, CallsBeyondAConnectionsLimitWaitForOneToEnd) {
  options_.max_concurrent_streams = 2;
  Start();
  const auto channel = Connect();
  const auto health = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext first_context, second_context;
  const auto first = health->Watch(&first_context, {});
  const auto second = health->Watch(&second_context, {});
  grpc::health::v1::HealthCheckResponse state;
  ASSERT_TRUE(first->Read(&state));
  ASSERT_TRUE(second->Read(&state));
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(20));
    v1::TranslateResponse response;
    EXPECT_EQ(v1::TranslationService::NewStub(channel)->Translate(&context, {}, &response).error_code(),
              StatusCode::DEADLINE_EXCEEDED);
  }
  EXPECT_TRUE(Translate(Connect()).ok()) << "of another connection";
  first_context.TryCancel();
  first->Finish();
  EXPECT_TRUE(Translate(channel).ok());
  second_context.TryCancel();
  second->Finish();
}

TEST_F(LimitsTest, AnOldConnectionIsClosedAndLosesNoCall) {
  options_.max_connection_age_s = 0.05;
  Start();
  const auto channel = Connect();
  do {
    const grpc::Status status = Translate(channel);
    ASSERT_TRUE(status.ok()) << status.error_message();
  } while (channel->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY);  // until GOAWAY has come
  EXPECT_TRUE(Translate(channel).ok());
}

TEST_F(LimitsTest, AnOldConnectionsCallsAreCutOffAfterTheGrace) {
  options_.max_connection_age_s = 0.05;
  options_.max_connection_age_grace_s = 0.05;
  Start();
  const auto channel = Connect();
  const auto health = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse state;
  while (watch->Read(&state)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(LimitsTest, AClientThatPingsTooOftenIsCutOff) {
  options_.min_ping_interval_s = 1e6;
  Start();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  const auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                                 grpc::InsecureChannelCredentials(), arguments);
  const auto health = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse state;
  while (watch->Read(&state)) {
  }
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("Too many pings"));
}

TEST_F(LimitsTest, AReaderThatLagsAndReadsOnIsToldSo) {
  options_.max_stream_events = 4;
  options_.max_reader_lag_s = 4;
  Start();
  const auto channel = Connect();
  const auto stub = v1::TranslationService::NewStub(channel);
  v1::TranslateStreamRequest request;
  for (int i = 0; i < 5'000; ++i) request.add_texts(std::string(1000, 'a') + " b");
  grpc::ClientContext context;
  const auto reader = stub->TranslateStream(&context, request);
  WaitForMetric("heed_cancellations_total{model=\"fake\",reason=\"reader_lagged\"} 1");
  v1::TranslateStreamResponse event;
  while (reader->Read(&event)) {
  }
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::ABORTED) << status.error_message();
}

// Without calls there is nothing to deliver: nobody waits until a peer that has gone would have answered GOAWAY.
TEST_F(LimitsTest, ASilentPeerDoesNotHoldUpTheEnd) {
  options_.drain_timeout_s = 60;
  Start();
  TcpConnection silent(server_->port());
  ASSERT_TRUE(silent.Write(kGreeting));
  EXPECT_TRUE(Translate(Connect()).ok());
  const auto begun = std::chrono::steady_clock::now();
  server_->Shutdown();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));  // gRPC gives it 20 s
}

grpc::health::v1::HealthCheckResponse::ServingStatus Next(
    grpc::ClientReader<grpc::health::v1::HealthCheckResponse>& watch) {
  grpc::health::v1::HealthCheckResponse state;
  EXPECT_TRUE(watch.Read(&state));
  return state.status();
}

TEST_F(LimitsTest, AConnectionTooManyIsClosedAtOnceAndTheServerIsNotReadyMeanwhile) {
  using grpc::health::v1::HealthCheckResponse;
  options_.max_connections = 3;
  options_.metrics_listen = "127.0.0.1:0";
  Start();
  const auto channel = Connect();
  grpc::ClientContext context;
  const auto watch = grpc::health::v1::Health::NewStub(channel)->Watch(&context, {});
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  {
    TcpConnection second(server_->port()), third(server_->port());
    EXPECT_EQ(Next(*watch), HealthCheckResponse::NOT_SERVING);
    TcpConnection probe(server_->metrics_port());
    probe.Write("GET /readyz HTTP/1.0\r\n\r\n");
    EXPECT_THAT(probe.Read(), HasSubstr("all 3 connections (--max_connections) are taken\n"));
    TcpConnection fourth(server_->port());
    EXPECT_EQ(fourth.Read(), "") << "closed, without a word of HTTP/2";
    EXPECT_EQ(Translate(Connect()).error_code(), StatusCode::UNAVAILABLE);
    EXPECT_TRUE(HasMetric("heed_connections 3"));
    EXPECT_TRUE(HasMetric("heed_accepting 0"));
    EXPECT_FALSE(HasMetric("heed_refused_connections_total{reason=\"max_connections\"} 0"));
    EXPECT_TRUE(Translate(channel).ok()) << "connections that are there stay";
  }
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  EXPECT_TRUE(HasMetric("heed_accepting 1"));
  EXPECT_TRUE(Translate(Connect()).ok());
  context.TryCancel();
  watch->Finish();
}

TEST_F(LimitsTest, OneAddressCannotTakeAllConnections) {
  options_.max_connections = 10;
  options_.max_connections_per_address = 2;
  Start();
  const auto channel = Connect();
  ASSERT_TRUE(Translate(channel).ok());
  TcpConnection second(server_->port());
  TcpConnection third(server_->port());
  EXPECT_EQ(third.Read(), "");
  EXPECT_TRUE(HasMetric("heed_refused_connections_total{reason=\"max_connections_per_address\"} 1"));
  EXPECT_TRUE(HasMetric("heed_accepting 1")) << "others may come";
  EXPECT_TRUE(Translate(channel).ok());
}

// gRPC 1.51's own listener would never accept again.
TEST_F(LimitsTest, DescriptorsThatHaveRunOutAreSurvived) {
  using grpc::health::v1::HealthCheckResponse;
  Start();
  const auto channel = Connect();
  grpc::ClientContext context;
  const auto watch = grpc::health::v1::Health::NewStub(channel)->Watch(&context, {});
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(Next(*watch), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(Translate(channel).ok());
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(Next(*watch), HealthCheckResponse::SERVING);
  EXPECT_TRUE(Translate(Connect()).ok());
  context.TryCancel();
  watch->Finish();
}

TEST_F(LimitsTest, AUnixSocketIsServed) {
  options_.listen = "unix:" + root_.File("socket");
  Start();
  EXPECT_TRUE(Translate(grpc::CreateChannel(options_.listen, grpc::InsecureChannelCredentials())).ok());
  server_->Shutdown();
  EXPECT_FALSE(std::filesystem::exists(root_.File("socket")));
}

TEST_F(LimitsTest, APeerThatHasFallenSilentIsCutOff) {
  options_.keepalive_s = 1;
  Start();
  TcpConnection silent(server_->port());
  ASSERT_TRUE(silent.Write(kGreeting));
  silent.Read();  // until the server closes it
  EXPECT_TRUE(Translate(Connect()).ok());
}

}  // namespace
}  // namespace heed
