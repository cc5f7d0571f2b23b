// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_pages.h"

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
#include "server/http/http_server.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/tcp_connection.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
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

class HttpPagesTest : public ::testing::Test {
 protected:
  HttpPagesTest() {
    auto sockets = ListeningSockets::Open(*ListenAddress::Parse("127.0.0.1:0"));
    EXPECT_TRUE(sockets.ok()) << sockets.status();
    auto server = HttpServer::Serve(*std::move(sockets), {}, nullptr, {&pages_}, metrics_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  Metrics metrics_;
  HttpPages pages_{{{"/page",
                     [] {
                       return HttpAnswer{200, "text\n"};
                     }},
                    {"/object", [] {
                       return HttpAnswer{503, "{}", "application/json"};
                     }}}};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpPagesTest, PagesAnswerByTheirPath) {
  EXPECT_THAT(Get(server_->port(), "/page"), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                                   HasSubstr("Content-Type: text/plain"), EndsWith("\r\n\r\ntext\n")));
  EXPECT_THAT(Get(server_->port(), "/page?q=1"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Get(server_->port(), "/object"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Content-Type: application/json"), EndsWith("\r\n\r\n{}")));
  EXPECT_THAT(Get(server_->port(), "/"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("there are: /object /page")));
  EXPECT_THAT(Send(server_->port(), "GET /page HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\ntext\n"));
}

TEST_F(HttpPagesTest, OtherMethodsThanGetAreRefused) {
  EXPECT_THAT(Send(server_->port(), "HEAD /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\n")));
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    EXPECT_THAT(Send(server_->port(), absl::StrCat(method,
                                                   " /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                                                   "Connection: close\r\n\r\nabc")),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD")))
        << method;
  }
}

TEST_F(HttpPagesTest, HeadsThatAreTooLargeAreRefused) {
  auto with_header = [&](size_t size) {
    return Send(
        server_->port(),
        absl::StrCat("GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ", std::string(size, 'x'), "\r\n\r\n"));
  };
  EXPECT_THAT(with_header(8'000), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(with_header(17'000), Not(HasSubstr(" 200 OK")));
  EXPECT_THAT(with_header(1 << 20), Not(HasSubstr(" 200 OK")));
  EXPECT_THAT(Get(server_->port(), "/page"), StartsWith("HTTP/1.1 200 OK\r\n"));
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
