// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol's REST API, by the whole server with a fake translator.
#include "server/gateway/oip_rest.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/little_endian.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/messages/message_inflation.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/http_connection.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kInfer[] = "/v2/models/fake/infer";

std::string TextRequest(const std::string& text, const std::string& more = "") {
  return absl::StrCat(R"({"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":[)",
                      nlohmann::json(text).dump(), "]}]", more, "}");
}

class OipRestTest : public TranslationServerTest {
 protected:
  OipRestTest() { options_.http_listen = "127.0.0.1:0"; }
  ~OipRestTest() override { model_->Release(); }

  ReceivedAnswer Ask(const std::string& method, const std::string& path, const std::string& body = "",
                     const std::string& headers = "") {
    HttpConnection connection(server_->http_port());
    connection.Ask(method, path, headers, body);
    return connection.Read();
  }
  nlohmann::json AskJson(const std::string& method, const std::string& path, const std::string& body = "") {
    return nlohmann::json::parse(Ask(method, path, body).body);
  }
};

TEST_F(OipRestTest, InferTakesAndGivesJson) {
  Start();
  const ReceivedAnswer answer = Ask("POST", kInfer, TextRequest("two dogs.", R"(,"id":"7")"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(answer.headers.count("inference-header-content-length"), 0u);
  const auto json = nlohmann::json::parse(answer.body);
  EXPECT_EQ(json["id"], "7");
  EXPECT_EQ(json["model_name"], "fake");
  EXPECT_EQ(json["model_version"], "1");
  EXPECT_EQ(json["outputs"][0]["name"], "translation");
  EXPECT_EQ(json["outputs"][0]["data"], nlohmann::json::array({"TWO DOGS."}));
  // Counted once the call has ended, which may be after its answer came.
  WaitForMetric(
      "heed_requests_total{code=\"OK\",method=\"inference.GRPCInferenceService/ModelInfer\",model=\"fake\"} 1");
}

TEST_F(OipRestTest, InferTakesAndGivesBytes) {
  Start();
  const std::string json =
      R"({"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}],)"
      R"("outputs":[{"name":"translation","parameters":{"binary_data":true}},{"name":"finish_reason"}]})";
  std::string body = json;
  PutNumber<uint32_t>(body, 1);
  body += "a";
  const ReceivedAnswer answer = Ask(
      "POST", "/v2/models/fake/versions/1/infer", body,
      absl::StrCat("Inference-Header-Content-Length: ", json.size(), "\r\nContent-Type: application/octet-stream\r\n"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/octet-stream");
  const size_t length = std::stoul(answer.headers.at("inference-header-content-length"));
  const auto outputs = nlohmann::json::parse(answer.body.substr(0, length))["outputs"];
  EXPECT_EQ(outputs[0]["parameters"]["binary_data_size"], 5);
  EXPECT_FALSE(outputs[1]["data"].empty());
  std::string expected;
  PutNumber<uint32_t>(expected, 1);
  EXPECT_EQ(answer.body.substr(length), expected + "A");
}

TEST_F(OipRestTest, BodiesAndAnswersMayBeCompressed) {
  Start();
  const std::string text(5000, 'a');
  for (const char* encoding : {"gzip", "deflate"}) {
    const auto compression = encoding[0] == 'g' ? MessageCompression::kGzip : MessageCompression::kDeflate;
    const ReceivedAnswer answer =
        Ask("POST", kInfer, DeflateMessage(TextRequest(text), compression),
            absl::StrCat("Content-Encoding: ", encoding, "\r\nAccept-Encoding: ", encoding, "\r\n"));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.at("content-encoding"), encoding);
    EXPECT_LT(answer.body.size(), 1000u);
    const auto json = nlohmann::json::parse(*InflateMessage(answer.body, compression, 1 << 20));
    EXPECT_EQ(json["outputs"][0]["data"][0], std::string(5000, 'A'));
  }
}

TEST_F(OipRestTest, LargeBodiesAreReadOnAnotherThread) {
  Start();
  const std::string text(200'000, 'a');
  const auto json = AskJson("POST", kInfer, TextRequest(text));
  EXPECT_EQ(json["outputs"][0]["data"][0].get<std::string>().size(), text.size());
}

TEST_F(OipRestTest, ErrorsHaveTheStatusOfTheirMethod) {
  Start();
  const auto error = [this](const std::string& method, const std::string& path, const std::string& body = "",
                            const std::string& headers = "") {
    const ReceivedAnswer answer = Ask(method, path, body, headers);
    const auto json = nlohmann::json::parse(answer.body);
    return absl::StrCat(answer.status, " ", json["error"].get<std::string>());
  };
  EXPECT_THAT(error("POST", "/v2/models/none/infer", TextRequest("a")), HasSubstr("404 "));
  EXPECT_THAT(error("POST", kInfer, "{}"), HasSubstr("400 inputs: \"text\" (BYTES [-1]) is missing"));
  EXPECT_THAT(error("POST", kInfer, "{"), HasSubstr("400 the body is not valid JSON"));
  EXPECT_THAT(error("POST", kInfer, "{}", "Inference-Header-Content-Length: two\r\n"),
              HasSubstr("400 Inference-Header-Content-Length is \"two\""));
  EXPECT_THAT(error("POST", kInfer, TextRequest("a", R"(,"parameters":{"beam":1})")), HasSubstr("400 "));
  EXPECT_THAT(error("POST", kInfer, TextRequest("fail")), HasSubstr("500 "));
  EXPECT_THAT(error("GET", "/v2/logging"), HasSubstr("501 log settings are not served"));
  EXPECT_THAT(error("POST", "/v2/repository/models/fake/unload"), HasSubstr("403 "));
  EXPECT_THAT(error("GET", kInfer), HasSubstr("405 "));
  EXPECT_THAT(error("POST", "/v2/repository/index", R"({"x":1})"), HasSubstr("400 \"x\" is not known"));
  EXPECT_THAT(error("POST", "/v2/repository/index", R"({"ready":1})"), HasSubstr("400 ready: must be true or false"));
  EXPECT_THAT(error("POST", "/v2/repository/r/index"), HasSubstr("404 repository_name: there is no \"r\""));
}

TEST_F(OipRestTest, PagesOfOtherOriginsMustSendATypeThatTheirBrowserAsksAbout) {
  Start();
  const std::string body = TextRequest("a");
  EXPECT_EQ(Ask("POST", kInfer, body, "Origin: https://b.example\r\nContent-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(Ask("POST", kInfer, body, "Origin: https://b.example\r\n").status, 415);
  EXPECT_EQ(Ask("POST", kInfer, body, "Content-Type: text/plain\r\n").status, 200);
}

TEST_F(OipRestTest, ServerAndModelsAreDescribed) {
  Start();
  EXPECT_EQ(AskJson("GET", "/v2")["name"], "heed");
  EXPECT_EQ(AskJson("GET", "/v2/health/live"), nlohmann::json::parse(R"({"live":true})"));
  EXPECT_EQ(AskJson("GET", "/v2/health/ready"), nlohmann::json::parse(R"({"ready":true})"));
  EXPECT_EQ(AskJson("GET", "/v2/models"), nlohmann::json::parse(R"({"models":["fake"]})"));
  EXPECT_EQ(AskJson("GET", "/v2/models/fake/ready"), nlohmann::json::parse(R"({"ready":true})"));
  EXPECT_EQ(Ask("GET", "/v2/models/none/ready").status, 404);
  EXPECT_EQ(AskJson("GET", "/v2/models/fake")["inputs"],
            nlohmann::json::parse(R"([{"name":"text","datatype":"BYTES","shape":[-1]}])"));
  EXPECT_EQ(AskJson("GET", "/v2/models/fake/versions/1/config")["backend"], "heed");
  EXPECT_EQ(AskJson("POST", "/v2/repository/index", "{\"ready\":true}"),
            nlohmann::json::parse(R"([{"name":"fake","version":"1","state":"READY","reason":""}])"));
  EXPECT_EQ(AskJson("GET", "/v2/models/stats")["model_stats"][0]["inference_stats"]["success"]["count"], 0);
}

TEST_F(OipRestTest, ModelsAreLoadedAndUnloaded) {
  options_.management = true;
  Start();
  const ReceivedAnswer unloaded =
      Ask("POST", "/v2/repository/models/fake/unload", R"({"parameters":{"unload_dependents":false}})");
  EXPECT_EQ(unloaded.status, 200);
  EXPECT_THAT(unloaded.body, IsEmpty());
  EXPECT_EQ(Ask("GET", "/v2/models/fake/ready").status, 503);
  EXPECT_EQ(Ask("POST", "/v2/repository/models/fake/load").status, 200);
  EXPECT_EQ(Ask("GET", "/v2/models/fake/ready").status, 200);
}

TEST_F(OipRestTest, AClientThatLeavesEndsItsRequest) {
  Start();
  std::string words;  // a step each: the client has left long before the last of them
  for (int i = 0; i < 50'000; ++i) words += "a ";
  model_->Hold();
  {
    HttpConnection connection(server_->http_port());
    connection.Post(kInfer, TextRequest(words));
    model_->WaitUntilHeld();
  }
  model_->Release();
  WaitForMetric("heed_cancellations_total{model=\"fake\",reason=\"client\"} 1\n");
}

TEST_F(OipRestTest, TheServerDescribesItself) {
  Start();
  const auto document = AskJson("GET", "/openapi.json");
  EXPECT_EQ(document["openapi"], "3.0.3");
  EXPECT_TRUE(document["paths"].contains("/heed.v1.TranslationService/Translate"));
}

}  // namespace
}  // namespace heed
