#include "server/http_endpoint.h"

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/translation_server.h"
#include "tests/support/tcp_connection.h"

namespace heed {
namespace {

using ::testing::AllOf;
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

std::unique_ptr<HttpEndpoint> Listen() {
  auto endpoint = HttpEndpoint::Listen("127.0.0.1:0", {{"/page",
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

TEST(HttpEndpointTest, WhoSendsNothingKeepsNobodyWaiting) {
  const auto endpoint = Listen();
  std::vector<std::unique_ptr<TcpConnection>> idle;
  for (int i = 0; i < 30; ++i) {
    idle.push_back(std::make_unique<TcpConnection>(endpoint->port()));
    idle.back()->Write("GET /pa");
  }
  EXPECT_THAT(Get(endpoint->port(), "/page"), StartsWith("HTTP/1.1 200 OK\r\n"));
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

TEST(HttpEndpointTest, AddressesThatCannotBeListenedOnAreErrors) {
  const auto endpoint = Listen();
  for (const std::string& address : {absl::StrCat("127.0.0.1:", endpoint->port()), std::string("192.0.2.1:0"),
                                     std::string("8002"), std::string("127.0.0.1:http-alt-none")}) {
    const auto failed = HttpEndpoint::Listen(address, {});
    EXPECT_EQ(failed.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(failed.status().message()),
                StartsWith(absl::StrCat("cannot listen on ", address, " for HTTP: ")));
  }
  const auto second = HttpEndpoint::Listen(absl::StrCat("127.0.0.1:", endpoint->port()), {});
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("Address already in use"));
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
  auto server =
      Server::Start(options_,
                    [this, gate = loads->get_future().share()](
                        const std::string& path, const std::string&) -> absl::StatusOr<std::shared_ptr<const Model>> {
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

TEST_F(ServerPagesTest, BuildInfoIsAnObject) {
  Start();
  const std::string answer = Page("/buildinfo");
  const auto info = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n")));
  EXPECT_EQ(info["version"], HEED_VERSION);
  EXPECT_THAT(std::string(info["compiler"]), StartsWith("g++ "));
  EXPECT_NE(info["instruction_set"], "");
  for (const char* library : {"gRPC", "protobuf", "oneDNN", "OpenSSL", "libmicrohttpd"}) {
    EXPECT_THAT(std::string(info["libraries"][library]), HasSubstr(".")) << library;
  }
}

}  // namespace
}  // namespace heed
