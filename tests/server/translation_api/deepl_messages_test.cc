// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/deepl_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

RequestFields DeepLForm(absl::string_view form) {
  return RequestFields::Read("application/x-www-form-urlencoded", form, {}).value();
}

DeepLTranslation DeepLRequest(absl::string_view form) {
  absl::StatusOr<DeepLTranslation> request = ToDeepLTranslation(DeepLForm(form));
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? *std::move(request) : DeepLTranslation();
}

std::string DeepLErrorOf(absl::string_view rest) {
  const absl::Status status = ToDeepLTranslation(DeepLForm(absl::StrCat("text=a&target_lang=DE&", rest))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << rest;
  return std::string(status.message());
}

template <typename Message>
Message DeepLMessage(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

TEST(DeepLMessages, RepeatedTextsAreTranslatedInOrder) {
  const DeepLTranslation request = DeepLRequest("text=One&text=Two&target_lang=EN-US&source_lang=DE");
  EXPECT_THAT(request.message.texts(), ElementsAre("One", "Two"));
  EXPECT_EQ(request.message.source_language(), "DE");
  EXPECT_EQ(request.message.target_language(), "EN-US");
  EXPECT_EQ(request.message.format(), v1::TEXT_FORMAT_PLAIN);
  EXPECT_FALSE(request.message.has_markup());
  const auto response = DeepLMessage<v1::TranslateResponse>(
      R"(translations { text: "Eins" source_language: "pt-BR" } translations { text: "2" })");
  EXPECT_EQ(Json::parse(DeepLTranslationAnswer(request, response)),
            Json::parse(R"({"translations": [{"detected_source_language": "PT", "text": "Eins"},
                                             {"detected_source_language": "EN", "text": "2"}]})"));
}

TEST(DeepLMessages, ReadsWhatItsClientsSendAsJson) {
  const RequestFields fields =
      RequestFields::Read("application/json",
                          R"({"target_lang": "ZH-HANS", "text": ["Ä"], "show_billed_characters": true,
          "preserve_formatting": false, "tag_handling": "xml", "ignore_tags": ["x", "code"], "outline_detection": false,
          "splitting_tags": ["par"], "non_splitting_tags": ["i,b"], "split_sentences": "0", "context": "c",
          "formality": "prefer_less", "model_type": "prefer_quality_optimized"})",
                          {})
          .value();
  const absl::StatusOr<DeepLTranslation> request = ToDeepLTranslation(fields);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->message.source_language(), "auto");
  EXPECT_EQ(request->message.format(), v1::TEXT_FORMAT_XML);
  EXPECT_THAT(request->message.markup().ignored_elements(), ElementsAre("x", "code"));
  EXPECT_THAT(request->message.markup().splitting_elements(), ElementsAre("par"));
  EXPECT_THAT(request->message.markup().inline_elements(), ElementsAre("i", "b"));
  EXPECT_TRUE(request->message.markup().has_detect_structure());
  EXPECT_FALSE(request->message.markup().detect_structure());
  EXPECT_FALSE(request->message.options().split_sentences());
  const auto response = DeepLMessage<v1::TranslateResponse>(R"(translations { text: "A" source_language: "de" })");
  EXPECT_EQ(Json::parse(DeepLTranslationAnswer(*request, response)),
            Json::parse(R"({"translations": [{"detected_source_language": "DE", "text": "A", "billed_characters": 1,
                                              "model_type_used": "quality_optimized"}]})"));
}

TEST(DeepLMessages, SentencesGoAcrossLinesIfAsked) {
  EXPECT_THAT(DeepLRequest("text=a%0D%0Ab&target_lang=DE&split_sentences=nonewlines").message.texts(),
              ElementsAre("a  b"));
  EXPECT_THAT(DeepLRequest("text=a%0Ab&target_lang=DE&split_sentences=1").message.texts(), ElementsAre("a\nb"));
  EXPECT_THAT(DeepLRequest("text=a%0Ab&target_lang=DE&split_sentences=nonewlines&tag_handling=html").message.texts(),
              ElementsAre("a\nb"));
  EXPECT_FALSE(DeepLRequest("text=a&target_lang=DE").message.options().has_split_sentences());
}

TEST(DeepLMessages, AFastModelSearchesGreedily) {
  const DeepLTranslation request = DeepLRequest("text=a&target_lang=DE&model_type=latency_optimized");
  EXPECT_EQ(request.message.options().beam_size(), 1);
  EXPECT_EQ(request.model_type_used, "latency_optimized");
}

TEST(DeepLMessages, WhatIsMissingOrCannotBeDoneIsNamed) {
  EXPECT_EQ(ToDeepLTranslation(DeepLForm("target_lang=DE")).status().message(), "Parameter 'text' not specified.");
  EXPECT_EQ(ToDeepLTranslation(DeepLForm("text=a")).status().message(), "Parameter 'target_lang' not specified.");
  EXPECT_THAT(DeepLErrorOf("formality=more"), HasSubstr("formality: \"more\", which no model of this server can do"));
  EXPECT_THAT(DeepLErrorOf("formality=rude"), HasSubstr("formality: \"rude\", must be"));
  EXPECT_EQ(DeepLErrorOf("tag_handling=md"), "tag_handling: \"md\", must be \"html\" or \"xml\"");
  EXPECT_THAT(DeepLErrorOf("split_sentences=2"), HasSubstr("split_sentences: \"2\", must be"));
  EXPECT_THAT(DeepLErrorOf("preserve_formatting=x"), HasSubstr("preserve_formatting: \"x\", must be 0 or 1"));
  EXPECT_THAT(DeepLErrorOf("model_type=big"), HasSubstr("model_type: \"big\", must be"));
  EXPECT_THAT(DeepLErrorOf("style_id=s"), HasSubstr("style_id: \"s\" is given"));
  EXPECT_THAT(DeepLErrorOf("glossary_id=g"), HasSubstr("source_lang: is not specified"));
  EXPECT_THAT(DeepLErrorOf("glossary_ids=a,b,c,d,e,f&source_lang=EN"), HasSubstr("6 glossaries, more than 5"));
  EXPECT_TRUE(ToDeepLTranslation(DeepLForm("text=a&target_lang=DE&formality=prefer_more&style_id=")).ok());
}

constexpr char kDeepLLanguages[] = R"(
    languages { language: "de" name: "German" } languages { language: "en" name: "English" }
    languages { language: "pt-BR" name: "Brazilian Portuguese" } languages { language: "zh-Hans" name: "Chinese" }
    languages { language: "zh-Hant" name: "Traditional Chinese" }
    pairs { source_language: "de" target_language: "en" } pairs { source_language: "en" target_language: "pt-BR" }
    pairs { source_language: "zh-Hans" target_language: "zh-Hant" }
    pairs { source_language: "zh-Hant" target_language: "en" })";

TEST(DeepLMessages, LanguagesHaveTheFormsThatItsClientsAskFor) {
  const auto languages = DeepLMessage<v1::ListLanguagesResponse>(kDeepLLanguages);
  EXPECT_EQ(Json::parse(DeepLLanguagesAnswer(languages, false)),
            Json::parse(R"([{"language": "DE", "name": "German"}, {"language": "EN", "name": "English"},
                            {"language": "ZH", "name": "Chinese"}])"));
  const Json targets = Json::parse(DeepLLanguagesAnswer(languages, true));
  std::string codes;
  for (const Json& target : targets) {
    absl::StrAppend(&codes, target["language"].get<std::string>(), " ");
    EXPECT_EQ(target["supports_formality"], false);
  }
  EXPECT_EQ(codes, "EN-GB EN-US PT-BR ZH-HANT ");
  EXPECT_FALSE(*AsksForDeepLTargets(DeepLForm("")));
  EXPECT_TRUE(*AsksForDeepLTargets(DeepLForm("type=target")));
  EXPECT_EQ(AsksForDeepLTargets(DeepLForm("type=all")).status().message(),
            "type: \"all\", must be \"source\" or \"target\"");
  EXPECT_THAT(DeepLGlossaryPairsAnswer(languages), HasSubstr(R"({"source_lang":"de","target_lang":"en"})"));
}

TEST(DeepLMessages, UsageHasNoLimit) {
  EXPECT_EQ(DeepLUsageAnswer(42), "{\"character_count\":42,\"character_limit\":1000000000000}\n");
}

}  // namespace
}  // namespace heed
