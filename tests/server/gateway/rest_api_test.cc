// SPDX-License-Identifier: Apache-2.0
// Every method over HTTP, by the whole server with a fake translator.
#include "server/gateway/rest_api.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/http_connection.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kTranslate[] = "/heed.v1.TranslationService/Translate";
constexpr char kTranslateStream[] = "/heed.v1.TranslationService/TranslateStream";

class RestApiTest : public TranslationServerTest {
 protected:
  RestApiTest() { options_.http_listen = "127.0.0.1:0"; }
  ~RestApiTest() override { model_->Release(); }

  ReceivedAnswer Post(const std::string& path, const std::string& json, const std::string& headers = "") {
    HttpConnection connection(server_->http_port());
    connection.Post(path, json, headers);
    return connection.Read();
  }
  nlohmann::json PostJson(const std::string& path, const std::string& json, const std::string& headers = "") {
    return nlohmann::json::parse(Post(path, json, headers).body);
  }
};

TEST_F(RestApiTest, AMethodAnswersAsOverGrpc) {
  Start();
  const ReceivedAnswer answer = Post(kTranslate, R"({"texts":["two dogs.","a"]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  const auto json = nlohmann::json::parse(answer.body);
  EXPECT_EQ(json["translations"][0]["text"], "TWO DOGS.");
  EXPECT_EQ(json["translations"][1]["text"], "A");
  EXPECT_EQ(json["model"], "fake");
  EXPECT_EQ(json["modelVersion"], "1") << "64-bit numbers are texts";
  // Counted when the answer is on its way.
  WaitForMetric("heed_requests_total{code=\"OK\",method=\"heed.v1.TranslationService/Translate\",model=\"fake\"} 1\n");
  WaitForMetric("heed_http_requests_total{class=\"2xx\",port=\"http\"} 1\n");
}

TEST_F(RestApiTest, ConnectsBinaryMessagesWorkToo) {
  Start();
  v1::TranslateRequest request;
  request.add_texts("a b");
  HttpConnection connection(server_->http_port());
  connection.Ask("POST", kTranslate, "Content-Type: application/proto\r\nConnect-Protocol-Version: 1\r\n",
                 request.SerializeAsString());
  const ReceivedAnswer answer = connection.Read();
  EXPECT_EQ(answer.headers.at("content-type"), "application/proto");
  v1::TranslateResponse response;
  ASSERT_TRUE(response.ParseFromString(answer.body));
  EXPECT_EQ(response.translations(0).text(), "A B");
}

TEST_F(RestApiTest, LargerAnswersAreCompressedWhereTheClientTakesThat) {
  Start();
  const std::string text = absl::StrCat("{\"texts\":[\"", std::string(5'000, 'a'), "\"]}");
  const ReceivedAnswer compressed = Post(kTranslate, text, "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(compressed.status, 200);
  EXPECT_EQ(compressed.headers.at("content-encoding"), "gzip");
  EXPECT_LT(compressed.body.size(), 1'000u);
  EXPECT_EQ(Post(kTranslate, text).headers.count("content-encoding"), 0u);
}

TEST_F(RestApiTest, ErrorsAreConnects) {
  Start();
  const ReceivedAnswer unknown = Post(kTranslate, R"({"texs":["a"]})");
  EXPECT_EQ(unknown.status, 400);
  auto json = nlohmann::json::parse(unknown.body);
  EXPECT_EQ(json["code"], "invalid_argument");
  EXPECT_THAT(std::string(json["message"]), HasSubstr("texs"));
  const ReceivedAnswer missing = Post(kTranslate, R"({"texts":["a"],"model":"none"})");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(nlohmann::json::parse(missing.body)["code"], "not_found");
  EXPECT_EQ(Post(kTranslate, R"({"texts":["fail"]})").status, 500);
  const ReceivedAnswer field = Post(kTranslate, R"({"texts":["a"],"options":{"beamSize":99}})");
  EXPECT_EQ(field.status, 400);
  json = nlohmann::json::parse(field.body);
  EXPECT_EQ(json["code"], "invalid_argument");
  if (json.count("details") != 0) {
    EXPECT_EQ(json["details"][0]["type"], "google.rpc.BadRequest");
  }
  EXPECT_EQ(Post(kTranslate, "{").status, 400);
}

TEST_F(RestApiTest, OtherTypesAndMethodsAreRefused) {
  Start();
  HttpConnection connection(server_->http_port());
  connection.Ask("POST", kTranslate, "Content-Type: application/x-www-form-urlencoded\r\n", "{}");
  const ReceivedAnswer type = connection.Read();
  EXPECT_EQ(type.status, 415);
  EXPECT_EQ(type.headers.at("accept-post"), "application/json, application/proto");
  connection.Ask("GET", kTranslate);
  EXPECT_EQ(connection.Read().status, 405);
  connection.Ask("GET", "/none");
  const ReceivedAnswer none = connection.Read();
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(none.body, HasSubstr(kTranslate));
}

TEST_F(RestApiTest, EveryServiceIsThere) {
  Start();
  EXPECT_EQ(PostJson("/grpc.health.v1.Health/Check", "{}")["status"], "SERVING");
  EXPECT_EQ(PostJson("/heed.v1.ModelService/ListModels", "")["models"][0]["name"], "fake");
  EXPECT_EQ(PostJson("/inference.GRPCInferenceService/ServerLive", "{}")["live"], true);
}

TEST_F(RestApiTest, ManagementIsOffUnlessItIsOn) {
  Start();
  EXPECT_EQ(Post("/heed.v1.ModelService/UnloadModel", R"({"model":"fake"})").status, 403);
  EXPECT_EQ(Post("/heed.v1.GraphService/PutGraph", "[]").status, 403);
}

TEST_F(RestApiTest, TokensAreAskedForBeforeTheBody) {
  root_.Write("tokens", "reader aaaaaaaaaaaaaaaa infer\noperator bbbbbbbbbbbbbbbb manage\n");
  options_.tokens = root_.File("tokens");
  Start();
  HttpConnection connection(server_->http_port());
  connection.Write(absl::StrCat("POST ", kTranslate, " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
                                "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"));
  const ReceivedAnswer refused = connection.Read();
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(nlohmann::json::parse(refused.body)["code"], "unauthenticated");
  const std::string text = R"({"texts":["a"]})";
  EXPECT_EQ(Post(kTranslate, text, "Authorization: Bearer aaaaaaaaaaaaaaaa\r\n").status, 200);
  EXPECT_EQ(Post(kTranslate, text, "Authorization: Bearer cccccccccccccccc\r\n").status, 401);
  EXPECT_EQ(Post(kTranslate, text, "Authorization: Bearer bbbbbbbbbbbbbbbb\r\n").status, 403);
  EXPECT_EQ(Post("/grpc.health.v1.Health/Check", "{}").status, 200) << "is open to everybody";
}

TEST_F(RestApiTest, DeadlinesAndPrioritiesAreTheCalls) {
  Start();
  model_->Hold();
  EXPECT_EQ(Post(kTranslate, R"({"texts":["a"]})", "Connect-Timeout-Ms: 20\r\n").status, 504);
  EXPECT_EQ(Post(kTranslate, R"({"texts":["a"]})", "grpc-timeout: 20m\r\n").status, 504);
  EXPECT_EQ(Post(kTranslate, R"({"texts":["a"]})", "grpc-timeout: soon\r\n").status, 400);
  model_->Release();
  EXPECT_EQ(Post(kTranslate, R"({"texts":["a"]})", "heed-priority: 1\r\n").status, 200);
  const ReceivedAnswer wrong = Post(kTranslate, R"({"texts":["a"]})", "heed-priority: first\r\n");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("heed-priority"));
}

// gRPC ends the process if it is given such a header.
TEST_F(RestApiTest, HeadersThatAreNoTextHarmNobody) {
  Start();
  for (const char* value : {"caf\xc3\xa9", "a\x01z", "a\x7fz"}) {
    for (const char* header : {"x-request-id", "traceparent"}) {
      EXPECT_EQ(Post(kTranslate, R"({"texts":["a"]})", absl::StrCat(header, ": ", value, "\r\n")).status, 200);
    }
    EXPECT_EQ(Post(kTranslate, R"({"texts":["a"]})", absl::StrCat("heed-priority: ", value, "\r\n")).status, 400);
  }
}

TEST_F(RestApiTest, APageOfAnotherOriginCannotSendWhatABrowserDoesNotAskAbout) {
  Start();
  HttpConnection connection(server_->http_port());
  connection.Ask("POST", kTranslate, "Origin: http://elsewhere\r\n", R"({"texts":["a"]})");
  EXPECT_EQ(connection.Read().status, 415);
}

// Many words, a step each: the client has left long before the last of them.
std::string LongText() {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "a ";
  return text;
}

TEST_F(RestApiTest, AClientThatLeavesCancelsItsCall) {
  Start();
  model_->Hold();
  {
    HttpConnection connection(server_->http_port());
    connection.Post(kTranslate, absl::StrCat("{\"texts\":[\"", LongText(), "\"]}"));
    model_->WaitUntilHeld();
  }
  model_->Release();
  WaitForMetric("heed_cancellations_total{model=\"fake\",reason=\"client\"} 1\n");
}

TEST_F(RestApiTest, AFullQueueSaysWhenToTryAgain) {
  options_.max_queued_requests = 1;
  options_.max_running_tasks = 1;
  Start();
  model_->Hold();
  std::vector<std::unique_ptr<HttpConnection>> others;
  ReceivedAnswer refused;
  others.push_back(std::make_unique<HttpConnection>(server_->http_port()));
  others.back()->Post(kTranslate, R"({"texts":["a"]})");
  model_->WaitUntilHeld();
  others.push_back(std::make_unique<HttpConnection>(server_->http_port()));
  others.back()->Post(kTranslate, R"({"texts":["a"]})");
  WaitForMetric("heed_queued_requests{model=\"fake\"} 1\n");
  refused = Post(kTranslate, R"({"texts":["a"]})");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.count("retry-after"), 1u);
  EXPECT_THAT(refused.body, HasSubstr("google.rpc.RetryInfo"));
}

TEST_F(RestApiTest, AStreamIsLinesOfJson) {
  Start();
  const ReceivedAnswer answer = Post(kTranslateStream, R"({"texts":["a b"]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/x-ndjson");
  std::string text;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) text += nlohmann::json::parse(line).value("delta", "");
  EXPECT_EQ(text, "A B");
}

TEST_F(RestApiTest, AStreamIsEventsWhereTheyAreAccepted) {
  Start();
  model_->Hold();
  HttpConnection connection(server_->http_port());
  connection.Post(kTranslateStream, R"({"texts":["a b"]})", "Accept: text/event-stream\r\n");
  model_->Allow(2);
  EXPECT_EQ(connection.ReadHead().headers.at("content-type"), "text/event-stream");
  EXPECT_THAT(connection.ReadChunk(), AllOf(StartsWith("data: {"), HasSubstr("\"delta\":\"A"))) << "before the end";
  model_->Release();
  std::string last;
  for (std::string chunk = connection.ReadChunk(); !chunk.empty(); chunk = connection.ReadChunk()) last = chunk;
  EXPECT_THAT(last, HasSubstr("event: end\n"));
}

TEST_F(RestApiTest, AStreamThatFailsSaysSo) {
  Start();
  EXPECT_EQ(Post(kTranslateStream, R"({"texts":["a"],"model":"none"})").status, 404) << "before its first message";
  const ReceivedAnswer lines = Post(kTranslateStream, R"({"texts":["a b. fail"]})");
  if (lines.status == 200) {
    EXPECT_THAT(lines.body, HasSubstr("{\"error\":{\"code\":\"internal\""));
  } else {
    EXPECT_EQ(lines.status, 500);
  }
  EXPECT_EQ(
      Post("/heed.v1.TranslationService/TranslateStream", R"({"texts":["a"]})", "Content-Type: application/proto\r\n")
          .status,
      415);
}

TEST_F(RestApiTest, AClientThatLeavesAStreamCancelsIt) {
  Start();
  {
    HttpConnection connection(server_->http_port());
    connection.Post(kTranslateStream, absl::StrCat("{\"texts\":[\"", LongText(), "\"]}"),
                    "Accept: text/event-stream\r\n");
    connection.ReadHead();
    EXPECT_THAT(connection.ReadChunk(), Not(IsEmpty()));
  }
  WaitForMetric("heed_cancellations_total{model=\"fake\",reason=\"client\"} 1\n");
}

TEST_F(RestApiTest, RequestsOfAStreamComeAsLinesOrAsAnArray) {
  Start();
  const std::string message =
      R"({"modelName":"fake","inputs":[{"name":"text","datatype":"BYTES","shape":["1"],"contents":{"bytesContents":["YSBi"]}}]})";
  for (const std::string& body :
       {absl::StrCat("[", message, ",", message, "]"), absl::StrCat(message, "\n", message)}) {
    const ReceivedAnswer answer = Post("/inference.GRPCInferenceService/ModelStreamInfer", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::istringstream lines(answer.body);
    int finished = 0;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_EQ(nlohmann::json::parse(line).value("errorMessage", ""), "") << line;
      finished += absl::StrContains(line, R"("triton_final_response":{"boolParam":true})") ? 1 : 0;
    }
    EXPECT_EQ(finished, 2) << answer.body;
  }
  const ReceivedAnswer wrong = Post("/inference.GRPCInferenceService/ModelStreamInfer", "{}\n{\"nme\":1}");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("message 2: "));
}

TEST_F(RestApiTest, TheLogNamesTheClientOfHttp) {
  options_.slow_request_ms = 0.001;
  Start();
  ::testing::internal::CaptureStderr();
  Post(kTranslate, R"({"texts":["a"]})", "x-request-id: abc\r\nheed-http-peer: forged\r\n");
  server_.reset();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("peer=ipv4:127.0.0.1:"), HasSubstr("request_id=abc"), Not(HasSubstr("forged"))));
}

TEST_F(RestApiTest, ShutdownFinishesWhatWasAccepted) {
  Start();
  model_->Hold();
  HttpConnection connection(server_->http_port());
  connection.Post(kTranslate, R"({"texts":["a"]})");
  model_->WaitUntilHeld();
  HttpConnection late(server_->http_port());
  late.Post("/grpc.health.v1.Health/Check", "{}");
  EXPECT_EQ(late.Read().status, 200);
  std::thread shutdown([this] { server_->Shutdown(); });
  while (!HasMetric("heed_ready 0\n")) std::this_thread::yield();
  late.Post(kTranslate, R"({"texts":["a"]})");
  const ReceivedAnswer refused = late.Read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("connection"), "close");
  model_->Release();
  const ReceivedAnswer answer = connection.Read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(nlohmann::json::parse(answer.body)["translations"][0]["text"], "A");
  shutdown.join();
}

// By curl, which speaks TLS.
class RestOverTlsTest : public RestApiTest {
 protected:
  RestOverTlsTest() {
    Install(authority_.Issue());
    root_.Write("ca.pem", authority_.certificate());
    root_.Write("other_ca.pem", other_.certificate());
    options_.tls_cert = root_.File("cert.pem");
    options_.tls_key = root_.File("key.pem");
    options_.tls_reload_s = 0;
  }
  void Install(const TestCertificate& certificate) {
    root_.Write("cert.pem", certificate.certificate);
    root_.Write("key.pem", certificate.key);
  }
  // The answer's status; 0: no connection.
  int Curl(const std::string& ca, const std::string& more = "", const std::string& scheme = "https") {
    const std::string command = absl::StrCat("curl -s -o /dev/null -w '%{http_code}' --cacert ", root_.File(ca), " ",
                                             more, " -H 'content-type: application/json' -d '{\"texts\":[\"a\"]}' ",
                                             scheme, "://127.0.0.1:", server_->http_port(), kTranslate);
    FILE* const pipe = popen(command.c_str(), "r");
    char text[16] = "";
    const size_t read = fread(text, 1, sizeof(text) - 1, pipe);
    pclose(pipe);
    return std::atoi(std::string(text, read).c_str());
  }

  const CertificateAuthority authority_{"authority"};
  const CertificateAuthority other_{"other authority"};
};

TEST_F(RestOverTlsTest, ItHasGrpcsCertificateAndANewOneForNewConnections) {
  Start();
  EXPECT_EQ(Curl("ca.pem"), 200);
  EXPECT_EQ(Curl("other_ca.pem"), 0);
  EXPECT_EQ(Curl("ca.pem", "", "http"), 0) << "plain text is not served";
  EXPECT_EQ(Curl("ca.pem", "--tls-max 1.1"), 0);
  EXPECT_EQ(Curl("ca.pem", "--tls-max 1.2"), 200);
  Install(other_.Issue());
  EXPECT_EQ(Curl("other_ca.pem"), 200);
  EXPECT_EQ(Curl("ca.pem"), 0);
  root_.Write("cert.pem", "no certificate");
  EXPECT_EQ(Curl("other_ca.pem"), 200) << "files that are wrong change nothing";
}

TEST_F(RestOverTlsTest, ClientsShowACertificateWhereAuthoritiesAreNamed) {
  root_.Write("client_ca.pem", other_.certificate());
  options_.tls_client_ca = root_.File("client_ca.pem");
  const TestCertificate good = other_.Issue();
  root_.Write("good.pem", good.certificate);
  root_.Write("good.key", good.key);
  const TestCertificate bad = authority_.Issue();
  root_.Write("bad.pem", bad.certificate);
  root_.Write("bad.key", bad.key);
  Start();
  EXPECT_EQ(Curl("ca.pem"), 0);
  EXPECT_EQ(Curl("ca.pem", absl::StrCat("--cert ", root_.File("good.pem"), " --key ", root_.File("good.key"))), 200);
  EXPECT_EQ(Curl("ca.pem", absl::StrCat("--cert ", root_.File("bad.pem"), " --key ", root_.File("bad.key"))), 0);
}

}  // namespace
}  // namespace heed
