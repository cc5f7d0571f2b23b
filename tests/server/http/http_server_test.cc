// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <zlib.h>

#include <chrono>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/http_connection.h"
#include "tests/support/metric_samples.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// /echo answers at once with what came; /later is kept for the test to answer; /closed refuses before the body.
class TestHandler final : public HttpHandler {
 public:
  std::vector<std::string> MethodsOf(absl::string_view path) const override {
    if (absl::StartsWith(path, "/echo")) return {"GET", "POST"};
    if (path == "/later" || path == "/closed") return {"POST"};
    return {};
  }
  std::vector<std::string> Paths() const override { return {"/closed", "/echo", "/later"}; }
  std::optional<HttpAnswer> Refuse(const HttpRequest& head) const override {
    if (head.path == "/closed") return JsonError(401, "unauthenticated", "no token");
    return std::nullopt;
  }
  void Serve(std::shared_ptr<HttpExchange> exchange) override {
    const HttpRequest& request = exchange->request();
    if (request.path == "/later") {
      MutexLock lock(mutex_);
      kept_.push_back(std::move(exchange));
      changed_.NotifyAll();
      return;
    }
    nlohmann::json told = {{"method", request.method},
                           {"path", request.path},
                           {"query", request.query},
                           {"body", request.body},
                           {"peer", request.peer},
                           {"type", request.ContentType()},
                           {"x", std::string(request.Header("x-test"))}};
    exchange->Answer({200, told.dump(), "application/json"});
  }

  std::shared_ptr<HttpExchange> WaitForKept() {
    MutexLock lock(mutex_);
    while (kept_.empty()) changed_.Wait(mutex_);
    std::shared_ptr<HttpExchange> exchange = std::move(kept_.front());
    kept_.pop_front();
    return exchange;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::shared_ptr<HttpExchange>> kept_ GUARDED_BY(mutex_);
};

std::string Gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { options_.max_body_bytes = 100'000; }

  void Start() {
    auto sockets = ListeningSockets::Open(*ListenAddress::Parse("127.0.0.1:0"));
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    auto server = HttpServer::Serve(*std::move(sockets), options_, nullptr, {&handler_}, metrics_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  int port() const { return server_->port(); }
  void WaitForMetric(const std::string& line) {
    while (!HasSample(metrics_.Text(), line)) std::this_thread::yield();
  }

  Metrics metrics_;
  TestHandler handler_;
  HttpServerOptions options_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, TheHandlerSeesWhatCame) {
  Start();
  HttpConnection connection(port());
  connection.Ask("POST", "/echo/a%20b%2Bc+d?key=a+b&empty&%C3%A9=%26",
                 "X-Test: 1\r\nx-TEST: 2\r\nContent-Type: Text/X; q\r\n", "body");
  const ReceivedAnswer answer = connection.Read();
  EXPECT_EQ(answer.status, 200);
  const auto told = nlohmann::json::parse(answer.body);
  EXPECT_EQ(told["method"], "POST");
  EXPECT_EQ(told["path"], "/echo/a b+c+d");
  EXPECT_EQ(told["query"].dump(), R"([["key","a b"],["empty",""],["é","&"]])");
  EXPECT_EQ(told["body"], "body");
  EXPECT_EQ(told["x"], "1, 2");
  EXPECT_EQ(told["type"], "text/x");
  EXPECT_THAT(std::string(told["peer"]), StartsWith("ipv4:127.0.0.1:"));
  connection.Ask("GET", "/echo", "", "a GET may have a body");
  EXPECT_EQ(nlohmann::json::parse(connection.Read().body)["body"], "a GET may have a body");
}

TEST_F(HttpServerTest, TargetsThatAreNoneAreRefused) {
  Start();
  for (const char* target : {"/echo%", "/echo%2", "/echo%zz", "/echo%00", "/echo%ff", "/echo?a=%c3%28", "echo"}) {
    HttpConnection connection(port());
    connection.Ask("GET", target);
    EXPECT_EQ(connection.Read().status, 400) << target;
  }
}

TEST_F(HttpServerTest, AConnectionTakesRequestsThatComeTogether) {
  Start();
  HttpConnection connection(port());
  std::string requests;
  for (int i = 0; i < 20; ++i) absl::StrAppend(&requests, "GET /echo/", i, " HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.Write(requests);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(nlohmann::json::parse(connection.Read().body)["path"], absl::StrCat("/echo/", i));
  }
}

TEST_F(HttpServerTest, RequestsThatAreBeingServedTakeNoThread) {
  options_.threads = 1;
  Start();
  std::vector<std::unique_ptr<HttpConnection>> waiting;
  std::vector<std::shared_ptr<HttpExchange>> exchanges;
  for (int i = 0; i < 50; ++i) {
    waiting.push_back(std::make_unique<HttpConnection>(port()));
    waiting.back()->Post("/later", absl::StrCat(i));
    exchanges.push_back(handler_.WaitForKept());
  }
  HttpConnection other(port());
  other.Ask("GET", "/echo");
  EXPECT_EQ(other.Read().status, 200);
  for (int i = 49; i >= 0; --i)
    exchanges[static_cast<size_t>(i)]->Answer({200, exchanges[static_cast<size_t>(i)]->request().body});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(waiting[static_cast<size_t>(i)]->Read().body, absl::StrCat(i));
  waiting[0]->Ask("GET", "/echo");
  EXPECT_EQ(waiting[0]->Read().status, 200) << "the connection is kept";
}

TEST_F(HttpServerTest, OnlyTheFirstAnswerCounts) {
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  EXPECT_EQ(exchange->TakeBody(), "{}");
  exchange->Answer({200, "first"});
  exchange->Answer({500, "second"});
  exchange->BeginStream({500, "third"});
  EXPECT_EQ(connection.Read().body, "first");
  EXPECT_FALSE(exchange->Send("more"));
}

TEST_F(HttpServerTest, AnExchangeThatIsLetGoIsAnswered) {
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  handler_.WaitForKept().reset();
  EXPECT_EQ(connection.Read().status, 500);
}

TEST_F(HttpServerTest, HeadHasNoBodyAndOptionsNamesTheMethods) {
  Start();
  HttpConnection connection(port());
  connection.Ask("HEAD", "/echo");
  const ReceivedAnswer head = connection.Read(/*is_head=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.headers.at("content-length"), "0");
  connection.Ask("OPTIONS", "/echo");
  const ReceivedAnswer options = connection.Read();
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.at("allow"), "GET, POST, HEAD, OPTIONS");
}

TEST_F(HttpServerTest, UnknownPathsAndMethodsAreRefusedAsJson) {
  Start();
  HttpConnection connection(port());
  connection.Ask("POST", "/none", "", "abc");
  const ReceivedAnswer none = connection.Read();
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.headers.at("content-type"), "application/json");
  const auto error = nlohmann::json::parse(none.body);
  EXPECT_THAT(std::string(error["message"]), HasSubstr("there is no /none; there are: /closed /echo /later"));
  EXPECT_EQ(error["error"], error["message"]);
  connection.Ask("DELETE", "/echo");
  const ReceivedAnswer method = connection.Read();
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("allow"), "GET, POST, HEAD, OPTIONS");
}

TEST_F(HttpServerTest, BodiesMayComeInChunks) {
  Start();
  HttpConnection connection(port());
  connection.Write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  connection.Write("2;extension\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(nlohmann::json::parse(connection.Read().body)["body"], "abcde");
  connection.Write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n");
  EXPECT_EQ(connection.Read().status, 400);
  EXPECT_TRUE(connection.WaitForEnd());
}

TEST_F(HttpServerTest, HeadsThatCouldBeReadInTwoWaysAreRefused) {
  Start();
  for (const char* headers :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: +3\r\n", "Transfer-Encoding: gzip\r\n", "Transfer-Encoding : chunked\r\n",
        "Content-Length: 3\r\nTransfer-Encoding:\r\n"}) {
    HttpConnection connection(port());
    connection.Write(absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\n", headers, "\r\nabc"));
    EXPECT_EQ(connection.Read().status, 400) << headers;
    while (!connection.ReadLine().empty()) {  // ends: the library writes the head of its own refusal twice
    }
  }
}

TEST_F(HttpServerTest, BodiesThatAreTooLargeAreRefusedAndTheConnectionIsKept) {
  Start();
  HttpConnection connection(port());
  connection.Ask("POST", "/echo", "", std::string(100'001, 'x'));
  const ReceivedAnswer answer = connection.Read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("the body has 100001 bytes, at most --max_message_bytes=100000"));
  connection.Write(absl::StrCat("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n",
                                std::string(100'001, 'x'), "\r\n0\r\n\r\n"));
  EXPECT_EQ(connection.Read().status, 413);
  connection.Ask("POST", "/echo", "", std::string(100'000, 'x'));
  EXPECT_EQ(connection.Read().status, 200);
}

TEST_F(HttpServerTest, AnEndlessBodyIsCutOff) {
  Start();
  HttpConnection connection(port());
  connection.Write("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  while (connection.Write(absl::StrCat("2710\r\n", std::string(10'000, 'x'), "\r\n"))) {
  }
  WaitForMetric("heed_http_requests_total{class=\"cut_off\",port=\"http\"} 1\n");
}

TEST_F(HttpServerTest, WhoAsksFirstIsToldBeforeTheBody) {
  Start();
  HttpConnection connection(port());
  connection.Write("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(connection.ReadHead().status, 100);
  connection.Write("abc");
  EXPECT_EQ(connection.Read().status, 200);
  connection.Write("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 900000\r\n\r\n");
  EXPECT_EQ(connection.Read().status, 413);
  HttpConnection closed(port());
  closed.Write("POST /closed HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(closed.Read().status, 401);
}

TEST_F(HttpServerTest, WhatTheHandlerRefusesIsNotServed) {
  Start();
  HttpConnection connection(port());
  connection.Post("/closed", "abc");
  EXPECT_EQ(connection.Read().status, 401);
  connection.Ask("GET", "/echo");
  EXPECT_EQ(connection.Read().status, 200) << "the body was not taken for a request";
}

TEST_F(HttpServerTest, CompressedBodiesAreInflatedWithinTheLimit) {
  Start();
  HttpConnection connection(port());
  connection.Ask("POST", "/echo", "Content-Encoding: gzip\r\n", Gzip("text of a body"));
  EXPECT_EQ(nlohmann::json::parse(connection.Read().body)["body"], "text of a body");
  connection.Ask("POST", "/echo", "Content-Encoding: gzip\r\n", Gzip(std::string(50 << 20, 'x')));
  EXPECT_EQ(connection.Read().status, 413);
  connection.Ask("POST", "/echo", "Content-Encoding: gzip\r\n", "no gzip at all");
  EXPECT_EQ(connection.Read().status, 400);
  connection.Ask("POST", "/echo", "Content-Encoding: br\r\n", "abc");
  EXPECT_EQ(connection.Read().status, 415);
}

TEST_F(HttpServerTest, AllBodiesTogetherAreBounded) {
  options_.max_bytes = 150'000;
  Start();
  HttpConnection first(port());
  first.Ask("POST", "/later", "", std::string(90'000, 'x'));
  auto exchange = handler_.WaitForKept();
  HttpConnection second(port());
  second.Ask("POST", "/echo", "", std::string(90'000, 'x'));
  const ReceivedAnswer refused = second.Read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  exchange->TakeBody();
  second.Ask("POST", "/later", "", std::string(60'000, 'x'));
  handler_.WaitForKept()->Answer({200, ""});
  EXPECT_EQ(second.Read().status, 200) << "there is room again";
  exchange->Answer({200, ""});
}

TEST_F(HttpServerTest, HalfABodyIsNeverServed) {
  Start();
  {
    HttpConnection connection(port());
    connection.Write("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  }
  WaitForMetric("heed_http_requests_total{class=\"cut_off\",port=\"http\"} 1\n");
  HttpConnection connection(port());
  connection.Post("/later", "whole");
  const auto exchange = handler_.WaitForKept();
  EXPECT_EQ(exchange->request().body, "whole");
  exchange->Answer({200, ""});
}

TEST_F(HttpServerTest, AClientThatLeavesIsNoticedWhileItsRequestIsServed) {
  Start();
  auto connection = std::make_unique<HttpConnection>(port());
  connection->Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  Mutex mutex;
  CondVar changed;
  bool gone = false;
  exchange->OnGone([&] {
    MutexLock lock(mutex);
    gone = true;
    changed.NotifyAll();
  });
  EXPECT_FALSE(exchange->gone());
  connection.reset();
  {
    MutexLock lock(mutex);
    while (!gone) changed.Wait(mutex);
  }
  EXPECT_TRUE(exchange->gone());
  exchange->Answer({200, "to nobody"});
  WaitForMetric("heed_http_connections{port=\"http\"} 0\n");
}

TEST_F(HttpServerTest, AClientThatLeavesAtOnceIsNoticed) {
  Start();
  for (int i = 0; i < 50; ++i) {
    {
      HttpConnection connection(port());
      connection.Post("/later", "{}");
    }
    const auto exchange = handler_.WaitForKept();
    while (!exchange->gone()) std::this_thread::yield();
  }
}

TEST_F(HttpServerTest, AStreamComesPieceByPiece) {
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  exchange->BeginStream({200, "one", "text/event-stream"});
  EXPECT_EQ(connection.ReadHead().headers.at("content-type"), "text/event-stream");
  EXPECT_EQ(connection.ReadChunk(), "one");
  Mutex mutex;
  CondVar changed;
  int taken = 0;
  for (const char* piece : {"two", "three"}) {
    EXPECT_TRUE(exchange->Send(piece, [&] {
      MutexLock lock(mutex);
      ++taken;
      changed.NotifyAll();
    }));
    EXPECT_EQ(connection.ReadChunk(), piece);
  }
  {
    MutexLock lock(mutex);
    while (taken < 2) changed.Wait(mutex);
  }
  exchange->End();
  EXPECT_THAT(connection.ReadChunk(), IsEmpty());
  connection.Ask("GET", "/echo");
  EXPECT_EQ(connection.Read().status, 200) << "the connection is kept";
}

TEST_F(HttpServerTest, ASilentStreamOfEventsHasAHeartbeat) {
  options_.heartbeat = std::chrono::milliseconds(1);
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  exchange->BeginStream({200, "", "text/event-stream"});
  connection.ReadHead();
  EXPECT_EQ(connection.ReadChunk(), ":\n\n");
  exchange->End();
}

TEST_F(HttpServerTest, AStreamThatIsBrokenOffIsNotTakenForAWholeOne) {
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  exchange->BeginStream({200, "one"});
  exchange->Abort();
  connection.ReadHead();
  std::string rest;
  for (std::string line = connection.ReadLine(); !line.empty(); line = connection.ReadLine()) rest += line + "\n";
  EXPECT_THAT(rest, Not(HasSubstr("\n0\n")));
}

TEST_F(HttpServerTest, AReaderThatLagsTooFarIsCutOff) {
  options_.max_waiting_bytes = 100'000;
  Start();
  HttpConnection connection(port(), 4096);
  connection.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  exchange->BeginStream({200, ""});
  const std::string piece(50'000, 'x');
  int sent = 0;
  while (exchange->Send(piece) && sent < 10'000) ++sent;
  EXPECT_LT(sent, 10'000);
  WaitForMetric("heed_http_requests_total{class=\"cut_off\",port=\"http\"} 1\n");
  EXPECT_TRUE(exchange->gone());
}

TEST_F(HttpServerTest, WhoReadsALargeAnswerTooSlowlyIsCutOff) {
  options_.connections.max_transfer = std::chrono::milliseconds(1);
  options_.connections.min_bytes_per_s = int64_t{1} << 40;
  Start();
  HttpConnection connection(port(), 4096);
  connection.Post("/later", "{}");
  handler_.WaitForKept()->Answer({200, std::string(50 << 20, 'x')});
  WaitForMetric("heed_http_closed_connections_total{port=\"http\",reason=\"slow\"} 1\n");
  EXPECT_EQ(connection.Read().status, 0);
}

TEST_F(HttpServerTest, WhoSendsAHeadOrABodyTooSlowlyIsCutOff) {
  options_.connections.max_head = options_.connections.max_transfer = std::chrono::milliseconds(1);
  options_.connections.min_bytes_per_s = int64_t{1} << 40;
  Start();
  HttpConnection silent(port());
  HttpConnection body(port());
  body.Write("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
  EXPECT_TRUE(silent.WaitForEnd());
  EXPECT_TRUE(body.WaitForEnd());
}

TEST_F(HttpServerTest, ARequestThatIsServedIsNotSlow) {
  options_.connections.max_head = options_.connections.max_transfer = options_.connections.max_idle =
      std::chrono::milliseconds(1500);
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  HttpConnection other(port());
  EXPECT_TRUE(other.WaitForEnd()) << "was idle for longer than it may";
  exchange->Answer({200, "late"});
  EXPECT_EQ(connection.Read().body, "late");
}

TEST_F(HttpServerTest, RoomIsMadeForNewConnectionsButNotByThoseThatAreServed) {
  options_.connections.max_connections = 4;
  Start();
  HttpConnection served(port());
  served.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  std::vector<std::unique_ptr<HttpConnection>> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(std::make_unique<HttpConnection>(port()));
  HttpConnection last(port());
  last.Ask("GET", "/echo");
  EXPECT_EQ(last.Read().status, 200);
  EXPECT_TRUE(silent[0]->WaitForEnd());
  exchange->Answer({200, "still there"});
  EXPECT_EQ(served.Read().body, "still there");
}

TEST_F(HttpServerTest, PagesOfListedOriginsMayReadAnswers) {
  options_.cors_origins = {"https://example.com"};
  Start();
  HttpConnection connection(port());
  connection.Ask("OPTIONS", "/echo",
                 "Origin: https://example.com\r\nAccess-Control-Request-Method: POST\r\n"
                 "Access-Control-Request-Headers: authorization,content-type\r\n");
  const ReceivedAnswer preflight = connection.Read();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.at("access-control-allow-origin"), "https://example.com");
  EXPECT_EQ(preflight.headers.at("access-control-allow-methods"), "GET, POST, HEAD, OPTIONS");
  EXPECT_EQ(preflight.headers.at("access-control-allow-headers"), "authorization,content-type");
  EXPECT_EQ(preflight.headers.at("vary"), "Origin");
  connection.Ask("OPTIONS", "/echo", "Origin: https://other.com\r\nAccess-Control-Request-Method: POST\r\n");
  const ReceivedAnswer refused = connection.Read();
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.headers.count("access-control-allow-origin"), 0u);
  connection.Ask("GET", "/echo", "Origin: https://example.com\r\n");
  const ReceivedAnswer answer = connection.Read();
  EXPECT_EQ(answer.headers.at("access-control-allow-origin"), "https://example.com");
  EXPECT_EQ(answer.headers.at("access-control-expose-headers"), "*");
  connection.Ask("GET", "/echo");
  const ReceivedAnswer plain = connection.Read();
  EXPECT_EQ(plain.headers.at("vary"), "Origin") << "caches must tell them apart";
  EXPECT_EQ(plain.headers.count("access-control-allow-origin"), 0u);
  connection.Ask("GET", "/none", "Origin: https://example.com\r\n");
  EXPECT_EQ(connection.Read().headers.count("access-control-allow-origin"), 1u) << "errors, too";
}

TEST_F(HttpServerTest, DrainingFinishesWhatIsServedAndClosesTheRest) {
  Start();
  HttpConnection waiting(port());
  HttpConnection served(port());
  served.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  server_->Drain();
  HttpConnection late(port());
  late.Ask("GET", "/echo");
  EXPECT_EQ(late.Read().headers.at("connection"), "close");
  std::thread drain([&] { server_->WaitUntilIdle(Clock::now() + std::chrono::hours(1)); });
  EXPECT_TRUE(waiting.WaitForEnd());
  exchange->Answer({200, "done"});
  const ReceivedAnswer answer = served.Read();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  drain.join();
}

TEST_F(HttpServerTest, AConnectionThatWasNotToldIsServedWhileDraining) {
  Start();
  HttpConnection connection(port());
  connection.Post("/later", "{}");
  const auto stream = handler_.WaitForKept();
  stream->BeginStream({200, "one"});  // its head says nothing of the end
  EXPECT_EQ(connection.ReadHead().headers.count("connection"), 0u);
  EXPECT_EQ(connection.ReadChunk(), "one");
  server_->Drain();
  stream->End();
  EXPECT_THAT(connection.ReadChunk(), IsEmpty());
  WaitForMetric("heed_http_requests_total{class=\"2xx\",port=\"http\"} 1");
  connection.Ask("GET", "/echo");
  const ReceivedAnswer answer = connection.Read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(connection.WaitForEnd());
}

TEST_F(HttpServerTest, ClosingWaitsForNobody) {
  Start();
  HttpConnection served(port());
  served.Post("/later", "{}");
  const auto exchange = handler_.WaitForKept();
  HttpConnection streamed(port());
  streamed.Post("/later", "{}");
  const auto stream = handler_.WaitForKept();
  stream->BeginStream({200, "one"});
  EXPECT_EQ(streamed.ReadHead().status, 200);
  HttpConnection half(port());
  half.Write("POST /later HTTP/1.1\r\nHost");
  server_.reset();
  EXPECT_TRUE(exchange->gone());
  EXPECT_TRUE(served.WaitForEnd());
  exchange->Answer({200, "to nobody"});
  EXPECT_FALSE(stream->Send("to nobody"));
}

}  // namespace
}  // namespace heed
