// SPDX-License-Identifier: Apache-2.0
#include "server/messages/generation_messages.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/messages/request_id.h"
#include "server/messages/score_messages.h"
#include "server/messages/text_fields.h"

namespace heed {
namespace {

v1::TextFinishReason ReasonOf(const GeneratedText& text) {
  if (!text.stop.empty()) return v1::TEXT_FINISH_REASON_STOP;
  switch (text.finish_reason) {
    case FinishReason::kEos:
      return v1::TEXT_FINISH_REASON_EOS;
    case FinishReason::kLength:
      return v1::TEXT_FINISH_REASON_LENGTH;
    case FinishReason::kLoop:
      return v1::TEXT_FINISH_REASON_LOOP;
  }
  return v1::TEXT_FINISH_REASON_UNSPECIFIED;
}

absl::Status SetSampling(const v1::GenerateOptions& options, GenerateOptions& result) {
  if (options.greedy()) {
    if (options.has_sampling()) return InvalidField("options.greedy", "is true, but options.sampling is there");
    result.sample = false;
  }
  if (!options.has_sampling()) return absl::OkStatus();
  const v1::GenerateOptions::Sampling& sampling = options.sampling();
  result.sample = true;
  result.beam_size = 1;
  if (sampling.has_temperature()) result.sampling.temperature = sampling.temperature();
  if (sampling.has_top_k()) result.sampling.top_k = sampling.top_k();
  if (sampling.has_top_p()) result.sampling.top_p = sampling.top_p();
  result.sampling.seed = sampling.seed();
  return absl::OkStatus();
}

absl::Status SetSearch(const v1::GenerateOptions& options, GenerateOptions& result) {
  if (options.has_beam_size()) result.beam_size = options.beam_size();
  if (options.has_length_penalty()) result.length_penalty = options.length_penalty();
  switch (options.early_stopping()) {
    case v1::GenerateOptions::EARLY_STOPPING_UNSPECIFIED:
      break;
    case v1::GenerateOptions::EARLY_STOPPING_HEURISTIC:
      result.early_stopping = EarlyStopping::kHeuristic;
      break;
    case v1::GenerateOptions::EARLY_STOPPING_FIRST:
      result.early_stopping = EarlyStopping::kFirst;
      break;
    case v1::GenerateOptions::EARLY_STOPPING_NEVER:
      result.early_stopping = EarlyStopping::kNever;
      break;
    default:
      return InvalidField("options.early_stopping", static_cast<int>(options.early_stopping()), ", known are 0 to ",
                          static_cast<int>(v1::GenerateOptions::EarlyStopping_MAX));
  }
  if (options.has_no_repeat_ngram()) result.no_repeat_ngram = options.no_repeat_ngram();
  if (options.has_repetition_penalty()) result.repetition_penalty = options.repetition_penalty();
  if (options.has_max_tokens()) {
    if (options.max_tokens() < 1) {
      return InvalidField("options.max_tokens", options.max_tokens(), ", must be at least 1");
    }
    result.max_tokens = options.max_tokens();
  }
  if (options.has_min_tokens()) result.min_tokens = options.min_tokens();
  if (options.has_stop_at_end()) result.stop_at_end = options.stop_at_end();
  if (options.has_stop_loops()) result.stop_loops = options.stop_loops();
  if (options.has_ban_unknown()) result.ban_unknown = options.ban_unknown();
  return absl::OkStatus();
}

// Draws, or hypotheses of a search.
absl::Status SetCount(const v1::GenerateOptions& options, GenerateOptions& result) {
  result.n = 1;
  if (!options.has_n()) return absl::OkStatus();
  if (result.sample) {
    HEED_RETURN_IF_ERROR(CheckRange("options.n", options.n(), 1, kMaxDraws));
    result.n = options.n();
    return absl::OkStatus();
  }
  if (options.n() < 1 || options.n() > result.beam_size) {
    return InvalidField("options.n", options.n(), ", must be 1 to options.beam_size, ", result.beam_size,
                        ", without sampling");
  }
  result.n_best = options.n();
  return absl::OkStatus();
}

absl::Status SetStops(const v1::GenerateOptions& options, GenerateOptions& result) {
  if (options.stop_size() > kMaxStops) {
    return InvalidField("options.stop", options.stop_size(), " texts, at most ", kMaxStops);
  }
  for (int i = 0; i < options.stop_size(); ++i) {
    const std::string& stop = options.stop(i);
    const std::string field = absl::StrCat("options.stop[", i, "]");
    if (stop.empty()) return InvalidField(field, "is empty");
    if (stop.size() > kMaxStopBytes) return InvalidField(field, "has ", stop.size(), " bytes, at most ", kMaxStopBytes);
    result.stop.push_back(stop);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GenerateOptions> ToGenerateOptions(const v1::GenerateOptions& options, const GenerateOptions& defaults,
                                                  bool stream) {
  GenerateOptions result = defaults;
  HEED_ASSIGN_OR_RETURN(result.text, ToTextOptions("options.text", options.text()));
  HEED_RETURN_IF_ERROR(SetSampling(options, result));
  HEED_RETURN_IF_ERROR(SetSearch(options, result));
  HEED_RETURN_IF_ERROR(SetCount(options, result));
  HEED_RETURN_IF_ERROR(SetStops(options, result));
  HEED_RETURN_IF_ERROR(CheckRange("options.top_k_alternatives", options.top_k_alternatives(), 0, kMaxAlternatives));
  result.top_k_alternatives = options.top_k_alternatives();
  result.return_tokens = options.return_tokens() || result.top_k_alternatives > 0;
  switch (options.mode()) {
    case v1::GenerateOptions::MODE_UNSPECIFIED:
      break;
    case v1::GenerateOptions::MODE_CAUSAL:
      result.mode = GenerateMode::kCausal;
      break;
    case v1::GenerateOptions::MODE_AS_HUGGING_FACE:
      result.mode = GenerateMode::kAsHuggingFace;
      break;
    default:
      return InvalidField("options.mode", static_cast<int>(options.mode()), ", known are 0 to ",
                          static_cast<int>(v1::GenerateOptions::Mode_MAX));
  }
  result.return_attention = options.return_attention();
  result.return_tokens |= result.return_attention;  // whose columns they are
  result.stream = stream && result.beam_size == 1 && result.n == 1;
  return result;
}

absl::Status CheckCommit(const v1::GenerateRequest& request) {
  HEED_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  if (request.session().empty()) {
    if (request.commit()) return InvalidField("commit", "is true, but there is no session");
    if (request.has_expected_version()) {
      return InvalidField("expected_version", request.expected_version(), ", but there is no session");
    }
  }
  if (!request.request_id().empty() && !request.commit()) {
    return InvalidField("request_id", "names a change, but commit is false");
  }
  return absl::OkStatus();
}

void Fill(const GenerateResult& result, const GenerateOptions& options, v1::GenerateResponse& to) {
  for (const GeneratedText& from : result.texts) {
    v1::GeneratedText& text = *to.add_texts();
    text.set_text(from.text);
    text.set_finish_reason(ReasonOf(from));
    text.set_stop(from.stop);
    text.set_log_probability(from.log_probability);
    text.set_score(from.score);
    text.set_token_count(static_cast<int32_t>(from.token_count));
    if (options.return_tokens) {
      for (const TokenScore& token : from.tokens) Fill(token, 0, *text.add_tokens());
    }
    if (!options.return_attention) continue;
    std::vector<std::string> columns = result.prompt_token_texts;
    for (const TokenScore& token : from.tokens) columns.push_back(token.token);
    FillAttention(from.attention, columns, *text.mutable_attention());
  }
  to.set_prompt_token_count(static_cast<int32_t>(result.prompt_tokens));
  to.mutable_unknown_words()->Assign(result.unknown_words.begin(), result.unknown_words.end());
}

}  // namespace heed
