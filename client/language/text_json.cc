// SPDX-License-Identifier: Apache-2.0
#include "client/language/text_json.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "client/lib/duration.h"
#include "client/render/shortest_number.h"

namespace heed::client {

using Json = nlohmann::ordered_json;

void AddScore(const v1::TextScore& score, Json& json) {
  json["log_probability"] = score.log_probability();
  json["tokens"] = score.tokens();
  json["words"] = score.words();
  json["bytes"] = score.bytes();
  json["perplexity"] = score.perplexity();
  json["bits_per_byte"] = score.bits_per_byte();
  json["is_greedy"] = score.is_greedy();
  json["unknown_words"] = Json(score.unknown_words());
  json["unknown_tokens"] = score.unknown_tokens();
  if (score.token_scores_size() > 0) json["token_scores"] = TokenScoresJson(score.token_scores());
  AddTextAttention(score.attention(), json);
}

Json TokenScoresJson(const google::protobuf::RepeatedPtrField<v1::TokenScore>& scores) {
  Json list = Json::array();
  for (const v1::TokenScore& score : scores) {
    Json token = {{"token", score.token()},
                  {"id", score.id()},
                  {"start", score.start()},
                  {"end", score.end()},
                  {"unknown", score.unknown()},
                  {"log_probability",
                   score.has_log_probability() ? Json(ShortestNumber(score.log_probability())) : Json(nullptr)},
                  {"rank", score.rank()}};
    for (const v1::TokenAlternative& other : score.top()) {
      token["top"].push_back({{"token", other.token()}, {"log_probability", ShortestNumber(other.log_probability())}});
    }
    list.push_back(std::move(token));
  }
  return list;
}

Json GeneratedTextJson(const v1::GeneratedText& text) {
  Json json = {{"text", text.text()}, {"finish_reason", FinishReasonName(text.finish_reason())}};
  if (!text.stop().empty()) json["stop"] = text.stop();
  json["log_probability"] = text.log_probability();
  json["score"] = text.score();
  json["tokens"] = text.token_count();
  if (text.tokens_size() > 0) json["token_scores"] = TokenScoresJson(text.tokens());
  AddTextAttention(text.attention(), json);
  return json;
}

void AddTextAttention(const v1::TextAttention& attention, Json& json) {
  const int columns = attention.column_count();
  if (columns <= 0 || attention.weights_size() != attention.row_count() * columns) return;
  Json rows = Json::array();
  for (int row = 0; row < attention.row_count(); ++row) {
    Json weights = Json::array();
    for (int column = 0; column < columns; ++column) {
      weights.push_back(ShortestNumber(attention.weights(row * columns + column)));
    }
    rows.push_back(std::move(weights));
  }
  json["attention"] = {{"columns", Json(attention.column_tokens())}, {"weights", std::move(rows)}};
}

Json TextSessionJson(const v1::TextSession& session) {
  Json json = {{"session", session.name()},
               {"model", session.model()},
               {"model_version", session.model_version()},
               {"version", session.version()},
               {"tokens_read", session.tokens_read()},
               {"memory_tokens", session.memory_tokens()},
               {"memory_bytes", session.memory_bytes()}};
  if (session.has_idle_limit()) json["idle_limit_seconds"] = ToSeconds(session.idle_limit());
  return json;
}

std::string FinishReasonName(v1::TextFinishReason reason) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::TextFinishReason_Name(reason), "TEXT_FINISH_REASON_"));
}

}  // namespace heed::client
