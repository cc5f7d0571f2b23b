// SPDX-License-Identifier: Apache-2.0
// Both handlers in front of a service that echoes, within this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "heed/v1/translation.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "server/gateway/method_calls.h"
#include "server/security/authorization.h"
#include "server/translation_api/deepl_handler.h"
#include "server/translation_api/libretranslate_handler.h"
#include "tests/support/fake_http_exchange.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr char kAnn[] = "ann-token-0123456789";
constexpr char kBob[] = "bob-token-0123456789";

// Translates into upper case, and says what the glossary had. "busy", "late", "large" and "wrong" fail; "wait" lasts
// until its call is cancelled.
class EchoService final : public v1::TranslationService::Service {
 public:
  grpc::Status Translate(grpc::ServerContext* context, const v1::TranslateRequest* request,
                         v1::TranslateResponse* response) override {
    for (const std::string& text : request->texts()) {
      if (text == "busy") return Busy();
      if (text == "late") return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "too late");
      if (text == "large") return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too large");
      if (text == "wrong") return grpc::Status(grpc::StatusCode::NOT_FOUND, "target_language: no model");
      while (text == "wait" && !context->IsCancelled()) std::this_thread::yield();
      v1::TranslatedText& translation = *response->add_translations();
      translation.set_text(absl::AsciiStrToUpper(text));
      for (const auto& entry : request->glossary()) {
        absl::StrAppend(translation.mutable_text(), " ", entry.source(), "=", entry.target());
      }
      translation.set_source_language(request->source_language() == "auto" ? "en" : request->source_language());
      if (request->source_language() == "auto") translation.set_detection_confidence(0.5);
    }
    return grpc::Status::OK;
  }
  grpc::Status ListLanguages(grpc::ServerContext*, const v1::ListLanguagesRequest*,
                             v1::ListLanguagesResponse* response) override {
    for (const auto& [code, name] : {std::pair("de", "German"), std::pair("en", "English")}) {
      v1::Language& language = *response->add_languages();
      language.set_language(code);
      language.set_name(name);
    }
    v1::LanguagePair& pair = *response->add_pairs();
    pair.set_source_language("en");
    pair.set_target_language("de");
    return grpc::Status::OK;
  }
  grpc::Status DetectLanguage(grpc::ServerContext*, const v1::DetectLanguageRequest*,
                              v1::DetectLanguageResponse* response) override {
    v1::LanguageGuess& guess = *response->add_texts()->add_guesses();
    guess.set_language("de");
    guess.set_confidence(0.75);
    return grpc::Status::OK;
  }

 private:
  static grpc::Status Busy() {
    google::rpc::RetryInfo info;
    info.mutable_retry_delay()->set_seconds(1);
    info.mutable_retry_delay()->set_nanos(200'000'000);
    google::rpc::Status details;
    details.add_details()->PackFrom(info);
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full", details.SerializeAsString());
  }
};

class TranslationApiHandlers : public ::testing::Test {
 protected:
  ~TranslationApiHandlers() override {
    if (calls_ != nullptr) calls_->Close();
    if (server_ != nullptr) server_->Shutdown();
  }

  void Start(bool with_tokens = false) {
    std::unique_ptr<TokenFile> tokens;
    if (with_tokens) {
      root_.Write("tokens", absl::StrCat("ann ", kAnn, " infer\nbob ", kBob, " infer\n"));
      std::filesystem::permissions(root_.path() / "tokens", std::filesystem::perms::owner_read);
      tokens = TokenFile::Open(root_.File("tokens"), Clock::now()).value();
    }
    authorization_ = std::make_unique<Authorization>(std::move(tokens), false, metrics_);
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    calls_ = std::make_unique<MethodCalls>(server_->InProcessChannel({}), *authorization_);
    libre_ = std::make_unique<LibreTranslateHandler>(*calls_, preparation_, with_tokens);
    deepl_ = std::make_unique<DeepLHandler>(*calls_, preparation_, *authorization_);
  }

  static HttpRequest Request(const std::string& method, const std::string& path, const std::string& body = "",
                             const std::string& type = "application/json", const std::string& authorization = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    if (!body.empty()) request.headers["content-type"] = type;
    if (!authorization.empty()) request.headers["authorization"] = authorization;
    return request;
  }
  static HttpAnswer Serve(HttpHandler& handler, HttpRequest request) {
    const std::vector<std::string> methods = handler.MethodsOf(request.path);
    EXPECT_THAT(methods, ::testing::Contains(request.method)) << request.path;
    HttpRequest head = request;
    head.body.clear();
    if (std::optional<HttpAnswer> refused = handler.Refuse(head)) return *std::move(refused);
    const auto exchange = std::make_shared<FakeHttpExchange>(std::move(request));
    handler.Serve(exchange);
    return exchange->WaitForAnswer();
  }
  HttpAnswer Libre(const std::string& path, const std::string& body, const std::string& type = "application/json",
                   const std::string& authorization = "") {
    return Serve(*libre_, Request("POST", path, body, type, authorization));
  }
  HttpAnswer DeepL(const std::string& method, const std::string& path, const std::string& body = "",
                   const std::string& token = "") {
    return Serve(*deepl_, Request(method, path, body, "application/x-www-form-urlencoded",
                                  token.empty() ? "" : absl::StrCat("DeepL-Auth-Key ", token)));
  }
  static std::string HeaderOf(const HttpAnswer& answer, absl::string_view name) {
    for (const auto& [key, value] : answer.headers) {
      if (absl::AsciiStrToLower(key) == absl::AsciiStrToLower(name)) return value;
    }
    return "";
  }

  const TemporaryDirectory root_;
  Metrics metrics_;
  EchoService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Authorization> authorization_;
  std::unique_ptr<MethodCalls> calls_;
  std::unique_ptr<LibreTranslateHandler> libre_;
  std::unique_ptr<DeepLHandler> deepl_;
  Preparation preparation_;  // the last: what it runs uses the others
};

TEST_F(TranslationApiHandlers, LibreTranslateTakesJsonFormsAndMultipart) {
  Start();
  HttpAnswer answer = Libre("/translate", R"({"q": ["a", "b"], "source": "auto", "target": "de", "format": "html"})");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(Json::parse(answer.body)["translatedText"], Json({"A", "B"}));
  EXPECT_EQ(Json::parse(answer.body)["detectedLanguage"][1], Json({{"confidence", 50}, {"language", "en"}}));
  answer = Libre("/translate", "q=a&source=en&target=de", "application/x-www-form-urlencoded");
  EXPECT_EQ(answer.body, "{\"translatedText\":\"A\"}\n");
  answer =
      Libre("/translate",
            "--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\na\r\n--b\r\nContent-Disposition: form-data; "
            "name=\"source\"\r\n\r\nen\r\n--b\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\nde\r\n--b--",
            "multipart/form-data; boundary=b");
  EXPECT_EQ(answer.body, "{\"translatedText\":\"A\"}\n");
  const std::string large(300'000, 'a');  // on another thread
  answer = Libre("/translate", absl::StrCat("q=", large, "&source=en&target=de"), "application/x-www-form-urlencoded");
  EXPECT_EQ(Json::parse(answer.body)["translatedText"], absl::AsciiStrToUpper(large));
}

TEST_F(TranslationApiHandlers, LibreTranslateTellsWhatItServes) {
  Start();
  EXPECT_EQ(Json::parse(Serve(*libre_, Request("GET", "/languages")).body)[1]["targets"], Json({"de", "en"}));
  EXPECT_EQ(Serve(*libre_, Request("GET", "/health")).body, "{\"status\":\"ok\"}\n");
  EXPECT_EQ(Json::parse(Serve(*libre_, Request("GET", "/frontend/settings")).body)["keyRequired"], false);
  EXPECT_EQ(Json::parse(Libre("/detect", R"({"q": "Hallo"})").body)[0], Json({{"confidence", 75}, {"language", "de"}}));
  const HttpAnswer spec = Serve(*libre_, Request("GET", "/spec"));
  EXPECT_EQ(spec.status, 302u);
  EXPECT_EQ(HeaderOf(spec, "location"), "openapi.json");
  EXPECT_EQ(Libre("/suggest", "{}").status, 403u);
  EXPECT_THAT(Libre("/translate_file", "{}").body, HasSubstr("translates no files"));
  EXPECT_TRUE(libre_->MethodsOf("/v2/translate").empty());
}

TEST_F(TranslationApiHandlers, LibreTranslateErrorsHaveItsForm) {
  Start();
  const auto status = [this](const std::string& q) {
    return Libre("/translate", absl::StrCat("q=", q, "&source=en&target=de"), "application/x-www-form-urlencoded");
  };
  EXPECT_EQ(status("").status, 400u);
  EXPECT_EQ(status("").body, "{\"error\":\"Invalid request: missing q parameter\"}\n");
  EXPECT_EQ(status("wrong").status, 400u);
  EXPECT_EQ(status("wrong").body, "{\"error\":\"target: no model\"}\n");
  EXPECT_EQ(status("late").status, 504u);
  EXPECT_EQ(status("large").status, 413u);
  EXPECT_EQ(status("busy").status, 429u);
  EXPECT_EQ(HeaderOf(status("busy"), "Retry-After"), "2");
  EXPECT_EQ(Libre("/translate", "{").status, 400u);
  EXPECT_EQ(libre_->ErrorOf(405, "x", "no \"GET\"").body, "{\"error\":\"no \\\"GET\\\"\"}\n");
}

TEST_F(TranslationApiHandlers, AKeyOfLibreTranslateIsAToken) {
  Start(true);
  const auto with = [this](const std::string& key, const std::string& authorization = "") {
    return Libre("/translate", Json({{"q", "a"}, {"source", "en"}, {"target", "de"}, {"api_key", key}}).dump(),
                 "application/json", authorization);
  };
  EXPECT_EQ(with("").status, 403u);
  EXPECT_THAT(with("nobody's-key-0123456789").body, HasSubstr("asks for a key"));
  EXPECT_EQ(with(kAnn).status, 200u);
  EXPECT_EQ(with("", absl::StrCat("Bearer ", kAnn)).status, 200u);
  EXPECT_EQ(with(kAnn, "Bearer nobody's").status, 403u);
  EXPECT_EQ(Serve(*libre_, Request("GET", "/languages")).status, 200u);
  EXPECT_EQ(Serve(*libre_, Request("GET", "/health")).status, 200u);
  EXPECT_EQ(Json::parse(Serve(*libre_, Request("GET", "/frontend/settings")).body)["apiKeys"], true);
}

TEST_F(TranslationApiHandlers, AClientThatLeavesEndsItsCall) {
  Start();
  const auto exchange = std::make_shared<FakeHttpExchange>(
      Request("POST", "/translate", R"({"q": "wait", "source": "en", "target": "de"})"));
  libre_->Serve(exchange);
  exchange->Leave();
  EXPECT_GE(exchange->WaitForAnswer().status, 400u);
}

TEST_F(TranslationApiHandlers, DeepLTranslates) {
  Start();
  const HttpAnswer answer = DeepL("POST", "/v2/translate", "text=a&text=b&target_lang=DE&show_billed_characters=1");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(Json::parse(answer.body), Json::parse(R"({"translations": [
                {"detected_source_language": "EN", "text": "A", "billed_characters": 1},
                {"detected_source_language": "EN", "text": "B", "billed_characters": 1}]})"));
  EXPECT_EQ(Json::parse(DeepL("GET", "/v2/usage").body)["character_count"], 2);
  EXPECT_EQ(Json::parse(DeepL("GET", "/v2/languages").body)[0]["language"], "EN");
  EXPECT_EQ(Json::parse(DeepL("POST", "/v2/languages", "type=target").body)[0]["language"], "DE");
  EXPECT_EQ(Json::parse(DeepL("GET", "/v2/languages", "type=target").body).size(), 1u);
  EXPECT_EQ(DeepL("GET", "/v2/languages", "type=none").status, 400u);
}

TEST_F(TranslationApiHandlers, DeepLErrorsHaveItsForm) {
  Start();
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=a").status, 400u);
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=a").body,
            "{\"message\":\"Parameter 'target_lang' not specified.\"}\n");
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=wrong&target_lang=XX").status, 400u);
  EXPECT_THAT(DeepL("POST", "/v2/translate", "text=wrong&target_lang=XX").body, HasSubstr("target_lang: no model"));
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=busy&target_lang=DE").status, 429u);
  EXPECT_EQ(HeaderOf(DeepL("POST", "/v2/translate", "text=busy&target_lang=DE"), "Retry-After"), "2");
  EXPECT_EQ(DeepL("POST", "/v2/document").status, 404u);
  EXPECT_THAT(DeepL("POST", "/v2/write/rephrase").body, HasSubstr("neither translates documents"));
  EXPECT_TRUE(deepl_->MethodsOf("/v2").empty());
  EXPECT_TRUE(deepl_->MethodsOf("/v2/models/m/infer").empty());
  EXPECT_TRUE(deepl_->MethodsOf("/v2/health/ready").empty());
}

TEST_F(TranslationApiHandlers, GlossariesBelongToTheirMaker) {
  Start(true);
  const std::string made = "name=g&source_lang=EN&target_lang=de&entries_format=tsv&entries=house%09Haus";
  EXPECT_EQ(DeepL("POST", "/v2/glossaries", made).status, 403u);
  const HttpAnswer answer = DeepL("POST", "/v2/glossaries", made, kAnn);
  EXPECT_EQ(answer.status, 201u);
  const Json glossary = Json::parse(answer.body);
  EXPECT_EQ(glossary["entry_count"], 1);
  EXPECT_EQ(glossary["source_lang"], "en");
  EXPECT_THAT(glossary["creation_time"].get<std::string>(),
              ::testing::MatchesRegex("20[0-9-]+T[0-9:]+\\.[0-9][0-9][0-9]Z"));
  const std::string path = absl::StrCat("/v2/glossaries/", glossary["glossary_id"].get<std::string>());
  EXPECT_EQ(Json::parse(DeepL("GET", path, "", kAnn).body), glossary);
  EXPECT_EQ(DeepL("GET", path + "/entries", "", kAnn).body, "house\tHaus\n");
  EXPECT_EQ(Json::parse(DeepL("GET", "/v2/glossaries", "", kAnn).body)["glossaries"].size(), 1u);
  EXPECT_EQ(Json::parse(DeepL("GET", "/v2/glossaries", "", kBob).body)["glossaries"].size(), 0u);
  EXPECT_EQ(DeepL("GET", path, "", kBob).status, 404u);
  EXPECT_EQ(DeepL("DELETE", path, "", kBob).status, 404u);

  const std::string id = absl::StrCat("&glossary_id=", glossary["glossary_id"].get<std::string>());
  const std::string text = "text=a&source_lang=EN-GB&target_lang=DE";
  EXPECT_THAT(DeepL("POST", "/v2/translate", text + id, kAnn).body, HasSubstr("A house=Haus"));
  EXPECT_EQ(DeepL("POST", "/v2/translate", text + id, kBob).status, 404u);
  const HttpAnswer other = DeepL("POST", "/v2/translate", "text=a&source_lang=FR&target_lang=DE" + id, kAnn);
  EXPECT_EQ(other.status, 400u);
  EXPECT_THAT(other.body, HasSubstr("is from en to de, the request from FR to DE"));
  EXPECT_EQ(DeepL("DELETE", path, "", kAnn).status, 204u);
  EXPECT_EQ(DeepL("GET", path, "", kAnn).status, 404u);
  EXPECT_EQ(Json::parse(DeepL("GET", "/v2/glossary-language-pairs", "", kAnn).body)["supported_languages"][0],
            Json({{"source_lang", "en"}, {"target_lang", "de"}}));
}

TEST_F(TranslationApiHandlers, NoPageOfAnotherOriginMakesAGlossaryUnasked) {
  Start();
  HttpRequest request =
      Request("POST", "/v2/glossaries", "name=g&source_lang=en&target_lang=de&entries_format=tsv&entries=house%09Haus",
              "application/x-www-form-urlencoded");
  EXPECT_EQ(Serve(*deepl_, request).status, 201u);
  request.headers["origin"] = "https://elsewhere.example";
  EXPECT_EQ(Serve(*deepl_, request).status, 415u);
}

TEST_F(TranslationApiHandlers, AKeyOfDeepLIsAToken) {
  Start(true);
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=a&target_lang=DE").status, 403u);
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=a&target_lang=DE", "nobody's").status, 403u);
  EXPECT_EQ(DeepL("POST", "/v2/translate", "text=a&target_lang=DE", kAnn).status, 200u);
  EXPECT_EQ(DeepL("POST", "/v2/translate", absl::StrCat("text=a&target_lang=DE&auth_key=", kAnn)).status, 200u);
  EXPECT_EQ(DeepL("GET", "/v2/languages").status, 403u);
  EXPECT_EQ(DeepL("GET", "/v2/usage", "", kBob).status, 200u);
}

}  // namespace
}  // namespace heed
