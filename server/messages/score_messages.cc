// SPDX-License-Identifier: Apache-2.0
#include "server/messages/score_messages.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/messages/request_id.h"
#include "server/messages/text_fields.h"

namespace heed {
absl::StatusOr<ScoreOptions> ToScoreOptions(const v1::ScoreOptions& options) {
  ScoreOptions result;
  HEED_ASSIGN_OR_RETURN(result.text, ToTextOptions("options.text", options.text()));
  switch (options.begin()) {
    case v1::ScoreOptions::BEGIN_UNSPECIFIED:
    case v1::ScoreOptions::BEGIN_NOTHING:
      break;
    case v1::ScoreOptions::BEGIN_END_OF_TEXT:
      result.begin = ScoreBegin::kEndOfText;
      break;
    default:
      return InvalidField("options.begin", static_cast<int>(options.begin()), ", known are 0 to ",
                          static_cast<int>(v1::ScoreOptions::Begin_MAX));
  }
  switch (options.order()) {
    case v1::ScoreOptions::ORDER_UNSPECIFIED:
    case v1::ScoreOptions::ORDER_LEFT_TO_RIGHT:
      break;
    case v1::ScoreOptions::ORDER_ALL_CONTEXT:
      result.order = ScoreOrder::kAllContext;
      break;
    default:
      return InvalidField("options.order", static_cast<int>(options.order()), ", known are 0 to ",
                          static_cast<int>(v1::ScoreOptions::Order_MAX));
  }
  HEED_RETURN_IF_ERROR(CheckRange("options.top_k", options.top_k(), 0, kMaxAlternatives));
  result.top_k = options.top_k();
  if (options.has_segment_tokens()) {
    if (options.segment_tokens() < 1) {
      return InvalidField("options.segment_tokens", options.segment_tokens(), ", must be at least 1");
    }
    result.segment_tokens = options.segment_tokens();
  }
  result.return_tokens = options.return_tokens() || result.top_k > 0;
  result.return_attention = options.return_attention();
  return result;
}

absl::StatusOr<std::vector<ScoreRequest>> ToScores(const v1::ScoreRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckTextCount("items", request.items_size(), most));
  HEED_ASSIGN_OR_RETURN(const ScoreOptions options, ToScoreOptions(request.options()));
  if (!request.session().empty()) {
    if (options.segment_tokens > 0) {
      return InvalidField("options.segment_tokens", options.segment_tokens, ", but the session has its own");
    }
    if (options.order == ScoreOrder::kAllContext) {
      return InvalidField("options.order", "is ORDER_ALL_CONTEXT, but a session is read from left to right");
    }
  } else if (request.has_expected_version()) {
    return InvalidField("expected_version", request.expected_version(), ", but there is no session");
  }
  std::vector<ScoreRequest> scores;
  for (int i = 0; i < request.items_size(); ++i) {
    const v1::ScoreRequest::Item& item = request.items(i);
    if (item.content_case() == v1::ScoreRequest::Item::CONTENT_NOT_SET) {
      return InvalidField(absl::StrCat("items[", i, "]"), "has neither text nor tokens");
    }
    ScoreRequest& score = scores.emplace_back();
    score.context = item.context();
    score.text = item.text();
    score.tokens.assign(item.tokens().ids().begin(), item.tokens().ids().end());
    score.options = options;
  }
  return scores;
}

absl::Status AboutScoreItem(const absl::Status& status, int64_t item) {
  return AboutItem(status, absl::StrCat("items[", item, "]"), {"options"}, {{"tokens[", "tokens.ids["}});
}

absl::StatusOr<ScoreOptions> ToReadOptions(const v1::ScoreOptions& options) {
  HEED_ASSIGN_OR_RETURN(ScoreOptions result, ToScoreOptions(options));
  if (result.order == ScoreOrder::kAllContext) {
    return InvalidField("options.order", "is ORDER_ALL_CONTEXT, but a session is read from left to right");
  }
  if (result.segment_tokens > 0) {
    return InvalidField("options.segment_tokens", result.segment_tokens, ", but the session has its own");
  }
  return result;
}

absl::StatusOr<ScoreRequest> ToRead(const v1::ReadTextRequest& request) {
  HEED_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  ScoreRequest score;
  HEED_ASSIGN_OR_RETURN(score.options, ToReadOptions(request.options()));
  if (request.text().empty()) return InvalidField("text", "is empty");
  score.text = request.text();
  score.keep_state = true;
  return score;
}

void Fill(const TokenScore& token, int64_t stream_offset, v1::TokenScore& to) {
  to.set_token(token.token);
  to.set_id(token.id);
  to.set_start(stream_offset + token.start);
  to.set_end(stream_offset + token.end);
  to.set_unknown(token.is_unknown);
  if (token.log_probability) to.set_log_probability(*token.log_probability);
  to.set_rank(token.rank);
  for (const TokenAlternative& alternative : token.top) {
    v1::TokenAlternative& added = *to.add_top();
    added.set_token(alternative.token);
    added.set_log_probability(alternative.log_probability);
  }
}

void Fill(const ScoreResult& result, const ScoreOptions& options, v1::TextScore& to, int64_t stream_offset) {
  to.set_log_probability(result.log_probability);
  to.set_tokens(result.tokens);
  to.set_words(result.words);
  to.set_bytes(result.bytes);
  to.set_perplexity(result.perplexity());
  to.set_bits_per_byte(result.bits_per_byte());
  to.set_is_greedy(result.is_greedy);
  to.mutable_unknown_words()->Assign(result.unknown_words.begin(), result.unknown_words.end());
  to.set_unknown_tokens(result.unknown_tokens);
  if (options.return_tokens) {
    for (const TokenScore& token : result.token_scores) Fill(token, stream_offset, *to.add_token_scores());
  }
  if (options.return_attention) FillAttention(result.attention, result.token_texts, *to.mutable_attention());
}

void Add(const ScoreResult& more, ScoreResult& sum) {
  sum.log_probability += more.log_probability;
  sum.tokens += more.tokens;
  sum.words += more.words;
  sum.bytes += more.bytes;
  sum.is_greedy &= more.is_greedy;
  sum.unknown_tokens += more.unknown_tokens;
  for (const std::string& word : more.unknown_words) {
    if (static_cast<int64_t>(sum.unknown_words.size()) >= kMaxUnknownWords) break;
    if (std::find(sum.unknown_words.begin(), sum.unknown_words.end(), word) != sum.unknown_words.end()) continue;
    sum.unknown_words.push_back(word);
  }
}

v1::TextSession ToTextSession(const Session& session, const LanguageModel* model, int64_t model_version,
                              Clock::duration idle_limit) {
  v1::TextSession to;
  to.set_name(session.id);
  to.set_model(session.model_name);
  to.set_model_version(model_version);
  to.set_version(session.version);
  to.set_tokens_read(session.state->units());
  if (model != nullptr) to.set_memory_tokens(model->MemoryTokens(*session.state));
  to.set_memory_bytes(session.state->bytes());
  if (idle_limit > Clock::duration::zero()) {
    *to.mutable_idle_limit() = google::protobuf::util::TimeUtil::NanosecondsToDuration(
        std::chrono::duration_cast<std::chrono::nanoseconds>(idle_limit).count());
  }
  return to;
}

}  // namespace heed
