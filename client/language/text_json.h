// SPDX-License-Identifier: Apache-2.0
// What language models answer, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "heed/v1/language_modeling.pb.h"

namespace heed::client {

// Adds "log_probability", "tokens", "words", "bytes", "perplexity", "bits_per_byte", "is_greedy", "unknown_words",
// "unknown_tokens" and, as far as the answer has them, "token_scores" and "attention".
void AddScore(const v1::TextScore& score, nlohmann::ordered_json& json);

// {"token","id","start","end","unknown","log_probability" (null: none),"rank"} and, where there are any, "top":
// objects of "token" and "log_probability".
nlohmann::ordered_json TokenScoresJson(const google::protobuf::RepeatedPtrField<v1::TokenScore>& scores);

// {"text","finish_reason","stop","log_probability","score","tokens"} and, as far as the answer has them, "token_scores"
// and "attention".
nlohmann::ordered_json GeneratedTextJson(const v1::GeneratedText& text);

// Adds "attention": {"columns": the tokens, "weights": a row for each token of the answer, of the weight of what was
// read before and of each column}. Nothing if there is none.
void AddTextAttention(const v1::TextAttention& attention, nlohmann::ordered_json& json);

// {"session","model","version","tokens_read","memory_tokens","memory_bytes"}.
nlohmann::ordered_json TextSessionJson(const v1::TextSession& session);

// "eos", "length", "loop", "stop".
std::string FinishReasonName(v1::TextFinishReason reason);

}  // namespace heed::client
