// SPDX-License-Identifier: Apache-2.0
#include "server/network/http_endpoint.h"

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "engine/kernels/instruction_set.h"
#include "engine/linear/precision.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/tcp_connection.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string Send(int port, const std::string& request) {
  TcpConnection connection(port);
  connection.Write(request);
  return connection.Read();
}
std::string Get(int port, const std::string& path) {
  return Send(port, absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
}

std::unique_ptr<HttpEndpoint> Listen(const HttpConnectionLimits& limits = {}) {
  auto sockets = ListeningSockets::Open(*ListenAddress::Parse("127.0.0.1:0"));
  EXPECT_TRUE(sockets.ok()) << sockets.status();
  auto endpoint = HttpEndpoint::Serve(*std::move(sockets), limits,
                                      {{"/page",
                                        [] {
                                          return HttpAnswer{200, "text\n"};
                                        }},
                                       {"/object", [] {
                                          return HttpAnswer{503, "{}", "application/json"};
                                        }}});
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  return *std::move(endpoint);
}

TEST(HttpEndpointTest, PagesAnswerByTheirPath) {
  const auto endpoint = Listen();
  EXPECT_THAT(Get(endpoint->port(), "/page"), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                                    HasSubstr("Content-Type: text/plain"), EndsWith("\r\n\r\ntext\n")));
  EXPECT_THAT(Get(endpoint->port(), "/page?q=1"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Get(endpoint->port(), "/object"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Content-Type: application/json"), EndsWith("\r\n\r\n{}")));
  EXPECT_THAT(Get(endpoint->port(), "/"), AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("there are: /object /page\n")));
  EXPECT_THAT(Send(endpoint->port(), "GET /page HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\ntext\n"));
}

TEST(HttpEndpointTest, HeadIsGetWithoutTheBodyAndOtherMethodsAreRefused) {
  const auto endpoint = Listen();
  EXPECT_THAT(Send(endpoint->port(), "HEAD /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\n")));
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_THAT(Send(endpoint->port(), absl::StrCat(method,
                                                    " /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                                                    "Connection: close\r\n\r\nabc")),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD")))
        << method;
  }
}

TEST(HttpEndpointTest, AConnectionTakesSeveralRequests) {
  const auto endpoint = Listen();
  const std::string answers = Send(endpoint->port(),
                                   "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answers, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\n\r\ntext\nHTTP/1.1 404 ")));
}

TEST(HttpEndpointTest, HeadsThatAreTooLargeAreRefused) {
  const auto endpoint = Listen();
  auto with_header = [&](size_t size) {
    return Send(
        endpoint->port(),
        absl::StrCat("GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ", std::string(size, 'x'), "\r\n\r\n"));
  };
  EXPECT_THAT(with_header(8'000), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(with_header(17'000), Not(HasSubstr(" 200 OK")));
  EXPECT_THAT(with_header(1 << 20), Not(HasSubstr(" 200 OK")));
  EXPECT_THAT(Get(endpoint->port(), "/page"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

// Far more than there is room for, all from the address that the probe comes from: the oldest have to go.
TEST(HttpEndpointTest, WhoSendsSlowlyKeepsNobodyWaiting) {
  HttpConnectionLimits limits;
  limits.max_connections = 8;
  limits.max_exchange = std::chrono::hours(1);
  const auto endpoint = Listen(limits);
  std::vector<std::unique_ptr<TcpConnection>> slow;
  for (int i = 0; i < 80; ++i) {
    slow.push_back(std::make_unique<TcpConnection>(endpoint->port()));
    slow.back()->Write("GET /page HTTP/1.1\r\nX: ");
  }
  EXPECT_THAT(Get(endpoint->port(), "/page"), StartsWith("HTTP/1.1 200 OK\r\n"));
  for (int i = 0; i < 72; ++i) EXPECT_THAT(slow[i]->Read(), IsEmpty()) << i;  // closed
  slow.back()->Write("\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(slow.back()->Read(), StartsWith("HTTP/1.1 200 OK\r\n")) << "the newest may take its time";
}

TEST(HttpEndpointTest, ARequestThatDoesNotEndIsCutOff) {
  HttpConnectionLimits limits;
  limits.max_exchange = std::chrono::milliseconds(1);
  const auto endpoint = Listen(limits);
  TcpConnection slow(endpoint->port());
  while (slow.Write("G")) std::this_thread::yield();  // always another byte
  TcpConnection silent(endpoint->port());
  EXPECT_THAT(silent.Read(), IsEmpty());
}

TEST(HttpEndpointTest, ClosingWaitsForNobody) {
  auto endpoint = Listen();
  TcpConnection silent(endpoint->port());
  TcpConnection half(endpoint->port());
  half.Write("GET /page HTTP/1.1\r\nHost");
  TcpConnection kept(endpoint->port());
  kept.Write("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto start = std::chrono::steady_clock::now();
  endpoint.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
  EXPECT_THAT(silent.Read(), IsEmpty());
}

TEST(HttpConnectionsTest, RoomIsMadeByTheOldestOfTheAddressThatHasMost) {
  HttpConnectionLimits limits;
  limits.max_connections = 4;
  HttpConnections connections(limits);
  const TimePoint start(std::chrono::hours(1));
  const std::chrono::seconds second(1);
  EXPECT_THAT(connections.Add(10, "probe", start), IsEmpty());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(connections.Add(20 + i, "flood", start + (i + 1) * second), IsEmpty());
  EXPECT_THAT(connections.Add(23, "flood", start + 4 * second), ElementsAre(20)) << "not the probe's, which is older";
  connections.Answered(21, start + 5 * second);
  EXPECT_THAT(connections.Add(24, "flood", start + 5 * second), ElementsAre(22)) << "21 has had an answer since";
  EXPECT_THAT(connections.Add(11, "probe", start + 6 * second), ElementsAre(23));
  EXPECT_EQ(connections.size(), 4u) << "those that have to go do not count";
  for (const int gone : {20, 22, 23}) connections.Remove(gone);
  EXPECT_EQ(connections.size(), 4u);
  connections.Remove(21);
  EXPECT_THAT(connections.Add(25, "flood", start + 7 * second), IsEmpty());
}

TEST(HttpConnectionsTest, AnExchangeHasItsTimeFromTheStartOrTheLastAnswer) {
  HttpConnectionLimits limits;
  limits.max_exchange = std::chrono::seconds(5);
  HttpConnections connections(limits);
  const TimePoint start(std::chrono::hours(1));
  connections.Add(1, "a", start);
  connections.Add(2, "b", start);
  connections.Answered(2, start + std::chrono::seconds(3));
  EXPECT_THAT(connections.Overdue(start + std::chrono::milliseconds(4999)), IsEmpty());
  EXPECT_THAT(connections.Overdue(start + std::chrono::seconds(5)), ElementsAre(1));
  EXPECT_THAT(connections.Overdue(start + std::chrono::seconds(6)), IsEmpty()) << "it was told once";
  EXPECT_THAT(connections.Overdue(start + std::chrono::seconds(8)), ElementsAre(2));
}

class ServerPagesTest : public TranslationServerTest {
 protected:
  ServerPagesTest() { options_.metrics_listen = "127.0.0.1:0"; }
  std::string Page(const std::string& path) { return Get(server_->metrics_port(), path); }
};

TEST_F(ServerPagesTest, MetricsAreWhatPrometheusReads) {
  Start();
  ASSERT_TRUE(Translate(Connect()).ok());
  EXPECT_THAT(Page("/metrics"), AllOf(HasSubstr("Content-Type: text/plain; version=0.0.4"),
                                      HasSubstr("\nheed_model_ready{model=\"fake\"} 1\n")));
}

TEST_F(ServerPagesTest, ReadinessIsTheServersHealthAndNamesTheModelsThatAreNot) {
  std::filesystem::create_directories(root_.path() / "models" / "broken");
  root_.Write("models/broken/config.json", "{}");
  model_->Hold();
  auto loads = std::make_shared<std::promise<void>>();
  auto server = Server::Start(
      options_,
      [this, gate = loads->get_future().share()](const std::string& path, const std::string&,
                                                 Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
        if (std::filesystem::path(path).filename() == "broken")
          return absl::InvalidArgumentError("config.json: is bad");
        gate.wait();
        return model_;
      });
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  EXPECT_THAT(Page("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Page("/readyz"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("not ready\n"), HasSubstr("fake 1: is loading\n")));
  loads->set_value();
  server_->WaitUntilLoaded();
  EXPECT_THAT(Page("/readyz"), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                     EndsWith("ready\nbroken 1: is unavailable: config.json: is bad\n")));
  // A request that is under way holds the shutdown up.
  std::thread request([this] { EXPECT_TRUE(Translate(Connect()).ok()); });
  model_->WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  while (Page("/readyz").find(" 200 OK") != std::string::npos) std::this_thread::yield();
  EXPECT_THAT(Page("/readyz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Page("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  model_->Release();
  request.join();
  shutdown.join();
}

TEST_F(ServerPagesTest, WithoutAModelTheServerIsNotReadyAndSaysWhy) {
  std::filesystem::remove_all(root_.path() / "models" / "fake");
  Start();
  EXPECT_THAT(Page("/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("\r\n\r\nnot ready\nthere is no model\n")));
  EXPECT_THAT(Page("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Page("/metrics"), HasSubstr("\nheed_ready 0\n"));
  EXPECT_EQ(Translate(Connect()).error_code(), grpc::StatusCode::NOT_FOUND) << "methods answer";
}

TEST_F(ServerPagesTest, BuildInfoIsAnObject) {
  Start();
  const std::string answer = Page("/buildinfo");
  const auto info = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n")));
  EXPECT_EQ(info["version"], kHeedVersion);
  EXPECT_THAT(std::string(info["compiler"]), StartsWith("g++ "));
  EXPECT_EQ(std::string(info["instruction_set"]), InstructionSetName(UsedInstructionSet()));
  ASSERT_EQ(info["precisions"].size(), 3u);
  for (const auto& [name, here] : info["precisions"].items()) {
    const Precision served = PrecisionHere(*PrecisionNamed(name));
    EXPECT_EQ(std::string(here["precision"]), PrecisionName(served)) << name;
    EXPECT_EQ(std::string(here["kernel"]), KernelName(served)) << name;
  }
  for (const char* library : {"gRPC", "protobuf", "oneDNN", "OpenSSL", "libmicrohttpd"}) {
    EXPECT_THAT(std::string(info["libraries"][library]), HasSubstr(".")) << library;
  }
}

}  // namespace
}  // namespace heed
