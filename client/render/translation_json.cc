// SPDX-License-Identifier: Apache-2.0
#include "client/render/translation_json.h"

#include <nlohmann/json.hpp>

#include "base/visible_text.h"
#include "client/lib/channel.h"
#include "client/render/shortest_number.h"

namespace heed::client {
namespace {

using Json = nlohmann::ordered_json;

std::string ReasonName(v1::TranslationFinishReason reason) {
  switch (reason) {
    case v1::TRANSLATION_FINISH_REASON_EOS:
      return "eos";
    case v1::TRANSLATION_FINISH_REASON_LENGTH:
      return "length";
    case v1::TRANSLATION_FINISH_REASON_LOOP:
      return "loop";
    default:
      return "unspecified";
  }
}

Json HypothesisJson(const v1::TranslationHypothesis& hypothesis) {
  Json json = {{"text", hypothesis.text()},
               {"score", ShortestNumber(hypothesis.score())},
               {"finish_reason", ReasonName(hypothesis.finish_reason())}};
  if (hypothesis.tokens_size() > 0) json["tokens"] = Json(hypothesis.tokens());
  const v1::TranslationAttention& attention = hypothesis.attention();
  if (attention.column_count() > 0 && attention.weights_size() == attention.row_count() * attention.column_count()) {
    Json rows = Json::array();
    for (int row = 0; row < attention.row_count(); ++row) {
      Json weights = Json::array();
      for (int column = 0; column < attention.column_count(); ++column) {
        weights.push_back(ShortestNumber(attention.weights(row * attention.column_count() + column)));
      }
      rows.push_back(std::move(weights));
    }
    json["attention"] = std::move(rows);
  }
  return json;
}

Json RouteJson(const v1::TranslatedText& translation) {
  Json legs = Json::array();
  for (const v1::TranslationLeg& leg : translation.route()) {
    legs.push_back({{"model", leg.model()},
                    {"model_version", leg.model_version()},
                    {"source_language", leg.source_language()},
                    {"target_language", leg.target_language()}});
  }
  return legs;
}

}  // namespace

std::string TranslationJson(int64_t line, const v1::TranslatedText& translation) {
  Json json = {{"line", line},
               {"text", translation.text()},
               {"score", ShortestNumber(translation.score())},
               {"finish_reason", ReasonName(translation.finish_reason())},
               {"source_tokens", translation.source_token_count()},
               {"target_tokens", translation.target_token_count()}};
  if (!translation.source_language().empty()) json["source_language"] = translation.source_language();
  if (translation.has_detection_confidence()) {
    json["detection_confidence"] = ShortestNumber(translation.detection_confidence());
  }
  if (!translation.source_language().empty() || translation.route_size() > 0) json["route"] = RouteJson(translation);
  for (const v1::TranslatedSentence& sentence : translation.sentences()) {
    Json entry = {{"source", sentence.source()},
                  {"text", sentence.hypotheses_size() > 0 ? sentence.hypotheses(0).text() : ""},
                  {"separator", sentence.separator()}};
    if (sentence.source_tokens_size() > 0) entry["source_tokens"] = Json(sentence.source_tokens());
    entry["hypotheses"] = Json::array();
    for (const v1::TranslationHypothesis& hypothesis : sentence.hypotheses()) {
      entry["hypotheses"].push_back(HypothesisJson(hypothesis));
    }
    json["sentences"].push_back(std::move(entry));
  }
  return JsonText(json);
}

std::string ErrorJson(int64_t line, const grpc::Status& status) {
  const Json error = {{"code", StatusCodeName(status.error_code())}, {"message", status.error_message()}};
  return JsonText({{"line", line}, {"error", error}});
}

}  // namespace heed::client
