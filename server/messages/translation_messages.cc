// SPDX-License-Identifier: Apache-2.0
#include "server/messages/translation_messages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "models/sentences/sentences.h"

namespace heed {
namespace {

v1::TranslationFinishReason ToProto(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return v1::TRANSLATION_FINISH_REASON_EOS;
    case FinishReason::kLength:
      return v1::TRANSLATION_FINISH_REASON_LENGTH;
    case FinishReason::kLoop:
      return v1::TRANSLATION_FINISH_REASON_LOOP;
  }
  return v1::TRANSLATION_FINISH_REASON_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<TranslateOptions> ToTranslateOptions(const v1::TranslateOptions& options,
                                                    const TranslateOptions& defaults, bool stream) {
  TranslateOptions result = defaults;
  if (options.has_sampling()) {
    const v1::TranslateOptions::Sampling& sampling = options.sampling();
    result.sample = true;
    result.beam_size = 1;
    if (sampling.has_temperature()) result.sampling.temperature = sampling.temperature();
    if (sampling.has_top_k()) result.sampling.top_k = sampling.top_k();
    if (sampling.has_top_p()) result.sampling.top_p = sampling.top_p();
    result.sampling.seed = sampling.seed();
  }
  if (options.has_beam_size()) result.beam_size = options.beam_size();
  if (options.has_length_penalty()) result.length_penalty = options.length_penalty();
  switch (options.early_stopping()) {
    case v1::TranslateOptions::EARLY_STOPPING_UNSPECIFIED:
      break;
    case v1::TranslateOptions::EARLY_STOPPING_HEURISTIC:
      result.early_stopping = EarlyStopping::kHeuristic;
      break;
    case v1::TranslateOptions::EARLY_STOPPING_FIRST:
      result.early_stopping = EarlyStopping::kFirst;
      break;
    case v1::TranslateOptions::EARLY_STOPPING_NEVER:
      result.early_stopping = EarlyStopping::kNever;
      break;
    default:
      return InvalidField("options.early_stopping", static_cast<int>(options.early_stopping()), ", known are 0 to ",
                          static_cast<int>(v1::TranslateOptions::EarlyStopping_MAX));
  }
  if (options.has_no_repeat_ngram()) result.no_repeat_ngram = options.no_repeat_ngram();
  if (options.has_min_tokens()) result.min_tokens = options.min_tokens();
  if (options.has_max_tokens()) result.max_tokens = options.max_tokens();
  if (options.has_n_best()) result.n_best = options.n_best();
  result.target_prefix = options.target_prefix();
  if (options.has_split_sentences()) result.split_sentences = options.split_sentences();
  if (options.has_stop_loops()) result.stop_loops = options.stop_loops();
  if (options.has_return_scores()) result.scores = options.return_scores();
  result.return_tokens = ToSentenceDetail(options).tokens;
  result.return_attention = options.return_attention();
  result.stream = stream && result.beam_size == 1;
  return result;
}

SentenceDetail ToSentenceDetail(const v1::TranslateOptions& options) {
  SentenceDetail detail;
  detail.attention = options.return_attention();
  detail.tokens = options.return_tokens() || detail.attention;
  detail.sentences = options.return_sentences() || options.n_best() > 1 || detail.tokens;
  return detail;
}

TokenCounts CountTokens(const SentenceResult& result) {
  TokenCounts counts;
  counts.source = result.source_token_count;
  if (!result.hypotheses.empty()) counts.target = result.hypotheses.front().token_count;
  return counts;
}

int64_t AnswerBytes(const SentenceResult& result) {
  size_t bytes = 0;
  for (const std::string& token : result.source_tokens) bytes += sizeof(std::string) + token.size();
  for (const Hypothesis& hypothesis : result.hypotheses) {
    bytes += hypothesis.text.size() + hypothesis.attention.size() * sizeof(float);
    for (const std::string& token : hypothesis.tokens) bytes += sizeof(std::string) + token.size();
  }
  return static_cast<int64_t>(bytes);
}

FinishedSentence SentenceOf(const TranslationTask& task, const SentencePlace& place) {
  return {task.source(), &task.result(), &place};
}

v1::TranslatedSentence ToProto(const FinishedSentence& finished, const SentenceDetail& detail) {
  const SentenceResult& result = *finished.result;
  v1::TranslatedSentence sentence;
  sentence.set_source(std::string(finished.source));
  sentence.set_separator(finished.place->separator);
  sentence.set_source_token_count(static_cast<int32_t>(result.source_token_count));
  if (detail.tokens) sentence.mutable_source_tokens()->Assign(result.source_tokens.begin(), result.source_tokens.end());
  for (const Hypothesis& from : result.hypotheses) {
    v1::TranslationHypothesis& to = *sentence.add_hypotheses();
    to.set_text(from.text);
    to.set_score(from.score);
    to.set_finish_reason(ToProto(from.finish_reason));
    to.set_token_count(static_cast<int32_t>(from.token_count));
    if (detail.tokens) to.mutable_tokens()->Assign(from.tokens.begin(), from.tokens.end());
    if (!detail.attention) continue;
    v1::TranslationAttention& attention = *to.mutable_attention();
    attention.set_row_count(static_cast<int32_t>(from.token_count));
    attention.set_column_count(static_cast<int32_t>(result.source_token_count));
    attention.mutable_weights()->Assign(from.attention.begin(), from.attention.end());
  }
  return sentence;
}

std::string JoinSentences(absl::Span<const FinishedSentence> sentences, absl::string_view trailing, size_t rank,
                          std::vector<AlignedToken>* alignment) {
  std::string text;
  for (const FinishedSentence& sentence : sentences) {
    text += sentence.place->separator;
    const std::vector<Hypothesis>& hypotheses = sentence.result->hypotheses;
    if (hypotheses.empty()) continue;
    const Hypothesis& chosen = hypotheses[std::min(rank, hypotheses.size() - 1)];
    if (alignment != nullptr) {
      const size_t code_bytes = sentence.place->code_bytes;
      const auto in_text = [&](size_t byte) { return sentence.place->begin + std::max(byte, code_bytes) - code_bytes; };
      for (const AlignedToken& token : chosen.alignment) {
        alignment->push_back({{text.size() + token.target.begin, text.size() + token.target.end},
                              {in_text(token.source.begin), in_text(token.source.end)}});
      }
    }
    text += chosen.text;
  }
  absl::StrAppend(&text, trailing);
  return text;
}

void AddSentences(absl::Span<const FinishedSentence> sentences, const SentenceDetail& detail,
                  v1::TranslatedText& text) {
  TokenCounts total{text.source_token_count(), text.target_token_count()};
  float score = text.score();
  v1::TranslationFinishReason worst = std::max(text.finish_reason(), v1::TRANSLATION_FINISH_REASON_EOS);
  for (const FinishedSentence& sentence : sentences) {
    const TokenCounts counts = CountTokens(*sentence.result);
    total.source += counts.source;
    total.target += counts.target;
    if (!sentence.result->hypotheses.empty()) {
      const Hypothesis& best = sentence.result->hypotheses.front();
      score += best.score;
      worst = std::max(worst, ToProto(best.finish_reason));
    }
    if (detail.sentences) *text.add_sentences() = ToProto(sentence, detail);
  }
  text.set_score(score);
  text.set_finish_reason(worst);
  text.set_source_token_count(static_cast<int32_t>(total.source));
  text.set_target_token_count(static_cast<int32_t>(total.target));
}

v1::TranslatedText ToProto(absl::Span<const FinishedSentence> sentences, absl::string_view trailing,
                           const SentenceDetail& detail) {
  v1::TranslatedText translation;
  AddSentences(sentences, detail, translation);
  std::string text = JoinSentences(sentences, trailing, 0);
  // A text of nothing but white space comes back empty.
  if (translation.source_token_count() > 0 || !IsWhiteSpace(text)) translation.set_text(std::move(text));
  return translation;
}

void FillTranslations(absl::Span<const std::unique_ptr<Task>> tasks, absl::Span<const SentencePlace> places,
                      const std::vector<std::string>& trailing, const SentenceDetail& detail,
                      v1::TranslateResponse& response) {
  size_t begin = 0;
  for (size_t text = 0; text < trailing.size(); ++text) {
    std::vector<FinishedSentence> sentences;
    for (; begin < places.size() && places[begin].text == static_cast<int>(text); ++begin) {
      sentences.push_back(SentenceOf(static_cast<const TranslationTask&>(*tasks[begin]), places[begin]));
    }
    *response.add_translations() = ToProto(sentences, trailing[text], detail);
  }
}

}  // namespace heed
