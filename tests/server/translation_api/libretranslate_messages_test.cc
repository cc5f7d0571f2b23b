// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/libretranslate_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

using ::testing::ElementsAre;
using Json = nlohmann::json;

RequestFields LibreFields(absl::string_view json) { return RequestFields::Read("application/json", json, {}).value(); }

LibreTranslation LibreRequest(absl::string_view json) {
  absl::StatusOr<LibreTranslation> request = ToLibreTranslation(LibreFields(json), false);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? *std::move(request) : LibreTranslation();
}

std::string LibreErrorOf(absl::string_view json) {
  return std::string(ToLibreTranslation(LibreFields(json), false).status().message());
}

template <typename Message>
Message LibreMessage(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

constexpr char kLibreLanguages[] = R"(
    languages { language: "de" name: "German" } languages { language: "en" name: "English" }
    languages { language: "zh-Hans" name: "Simplified Chinese" }
    pairs { source_language: "de" target_language: "en" } pairs { source_language: "en" target_language: "zh-Hans" }
    pairs { source_language: "en" target_language: "de" })";

TEST(LibreTranslateMessages, OneTextIsAnsweredWithOneText) {
  const LibreTranslation request = LibreRequest(R"({"q": "Hello", "source": "en", "target": "de", "api_key": ""})");
  EXPECT_THAT(request.message.texts(), ElementsAre("Hello"));
  EXPECT_EQ(request.message.source_language(), "en");
  EXPECT_EQ(request.message.target_language(), "de");
  EXPECT_EQ(request.message.format(), v1::TEXT_FORMAT_PLAIN);
  EXPECT_FALSE(request.message.options().return_scores());
  const auto response = LibreMessage<v1::TranslateResponse>(R"(translations { text: "Hallo" source_language: "en" })");
  EXPECT_EQ(Json::parse(LibreTranslationAnswer(request, response)), Json({{"translatedText", "Hallo"}}));
}

TEST(LibreTranslateMessages, AListIsAnsweredWithLists) {
  const LibreTranslation request = LibreRequest(
      R"({"q": ["<p>Hello</p>", ""], "source": "auto", "target": "de", "format": "html", "api_key": null})");
  EXPECT_THAT(request.message.texts(), ElementsAre("<p>Hello</p>", ""));
  EXPECT_EQ(request.message.source_language(), "auto");
  EXPECT_EQ(request.message.format(), v1::TEXT_FORMAT_HTML);
  const auto response = LibreMessage<v1::TranslateResponse>(
      R"(translations { text: "<p>Hallo</p>" source_language: "en" detection_confidence: 0.876 } translations {})");
  EXPECT_EQ(Json::parse(LibreTranslationAnswer(request, response)),
            Json::parse(R"({"translatedText": ["<p>Hallo</p>", ""],
                            "detectedLanguage": [{"confidence": 88, "language": "en"},
                                                 {"confidence": 0, "language": "en"}]})"));
}

TEST(LibreTranslateMessages, AlternativesAreOtherHypotheses) {
  const LibreTranslation request =
      LibreRequest(R"({"q": "Hello", "source": "auto", "target": "de", "alternatives": 2})");
  EXPECT_EQ(request.message.options().n_best(), 3);
  EXPECT_EQ(request.message.options().beam_size(), 4);
  const auto response = LibreMessage<v1::TranslateResponse>(
      R"(translations { text: "a" alternatives: "a" alternatives: "b" alternatives: "b" alternatives: "c"
         alternatives: "d" source_language: "en" detection_confidence: 1 })");
  EXPECT_EQ(Json::parse(LibreTranslationAnswer(request, response)),
            Json::parse(R"({"alternatives": ["b", "c"], "detectedLanguage": {"confidence": 100, "language": "en"},
                            "translatedText": "a"})"));
  EXPECT_EQ(
      LibreRequest(R"({"q": "a", "source": "en", "target": "de", "alternatives": "9"})").message.options().beam_size(),
      10);
}

TEST(LibreTranslateMessages, CodesOfItsOwnAreUnderstood) {
  const LibreTranslation request = LibreRequest(R"({"q": "a", "source": "pb", "target": "zt"})");
  EXPECT_EQ(request.message.source_language(), "pt-BR");
  EXPECT_EQ(request.message.target_language(), "zh-Hant");
}

TEST(LibreTranslateMessages, LinesOfFormsEndAsTextsDo) {
  const RequestFields fields =
      RequestFields::Read("application/x-www-form-urlencoded", "q=a%0D%0Ab&source=en&target=de", {}).value();
  EXPECT_THAT(ToLibreTranslation(fields, true)->message.texts(), ElementsAre("a\nb"));
  EXPECT_THAT(ToLibreTranslation(fields, false)->message.texts(), ElementsAre("a\r\nb"));
}

TEST(LibreTranslateMessages, MissingAndWrongFieldsAreNamed) {
  EXPECT_EQ(LibreErrorOf(R"({"source": "en", "target": "de"})"), "Invalid request: missing q parameter");
  EXPECT_EQ(LibreErrorOf(R"({"q": "", "source": "en", "target": "de"})"), "Invalid request: missing q parameter");
  EXPECT_EQ(LibreErrorOf(R"({"q": [], "source": "en", "target": "de"})"), "Invalid request: missing q parameter");
  EXPECT_EQ(LibreErrorOf(R"({"q": "a", "target": "de"})"), "Invalid request: missing source parameter");
  EXPECT_EQ(LibreErrorOf(R"({"q": "a", "source": "en"})"), "Invalid request: missing target parameter");
  EXPECT_EQ(LibreErrorOf(R"({"q": "a", "source": "en", "target": "de", "format": "pdf"})"),
            "format: \"pdf\" is not supported, must be \"text\" or \"html\"");
  EXPECT_EQ(LibreErrorOf(R"({"q": "a", "source": "en", "target": "de", "alternatives": 32})"),
            "alternatives: \"32\", must be a whole number from 0 to 31");
  EXPECT_EQ(LibreErrorOf(R"({"q": ["a", {}], "source": "en", "target": "de"})"),
            "q: holds an object, a list or null, must be a text or a list of texts");
}

TEST(LibreTranslateMessages, DetectionsAreInPercent) {
  EXPECT_THAT(ToLibreDetection(LibreFields(R"({"q": ["a", "b"]})"))->texts(), ElementsAre("a\nb"));
  EXPECT_FALSE(ToLibreDetection(LibreFields(R"({})")).ok());
  const auto response = LibreMessage<v1::DetectLanguageResponse>(
      R"(texts { guesses { language: "de" confidence: 0.9 } guesses { language: "en" confidence: 0.04 } })");
  EXPECT_EQ(Json::parse(LibreDetectionAnswer(response)),
            Json::parse(R"([{"confidence": 90, "language": "de"}, {"confidence": 4, "language": "en"}])"));
  EXPECT_EQ(Json::parse(LibreDetectionAnswer({})), Json::parse(R"([{"confidence": 0, "language": "en"}])"));
}

TEST(LibreTranslateMessages, LanguagesHaveTheirTargets) {
  EXPECT_EQ(Json::parse(LibreLanguagesAnswer(LibreMessage<v1::ListLanguagesResponse>(kLibreLanguages))),
            Json::parse(R"([{"code": "de", "name": "German", "targets": ["de", "en"]},
                            {"code": "en", "name": "English", "targets": ["de", "en", "zh-Hans"]},
                            {"code": "zh-Hans", "name": "Simplified Chinese", "targets": ["zh-Hans"]}])"));
}

TEST(LibreTranslateMessages, SettingsAreThoseOfAServerWithoutFiles) {
  const Json settings =
      Json::parse(LibreSettingsAnswer(LibreMessage<v1::ListLanguagesResponse>(kLibreLanguages), true));
  EXPECT_EQ(settings["charLimit"], -1);
  EXPECT_EQ(settings["keyRequired"], true);
  EXPECT_EQ(settings["filesTranslation"], false);
  EXPECT_EQ(settings["language"]["source"]["code"], "auto");
  EXPECT_EQ(settings["language"]["target"], Json({{"code", "en"}, {"name", "English"}}));
}

TEST(LibreTranslateMessages, ErrorsAreJson) {
  EXPECT_EQ(LibreError("a \"b\" \xff"), "{\"error\":\"a \\\"b\\\" \xEF\xBF\xBD\"}\n");
}

}  // namespace
}  // namespace heed
