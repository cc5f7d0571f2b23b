// SPDX-License-Identifier: Apache-2.0
#include "models/language/score_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "models/language/causal_task.h"

namespace heed {
namespace {

int64_t WordsOf(absl::string_view text) {
  int64_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool is_space = absl::ascii_isspace(static_cast<unsigned char>(c));
    words += !is_space && !in_word;
    in_word = !is_space;
  }
  return words;
}

}  // namespace

ScoreRecord::ScoreRecord(const ScoreRequest& request, const TextTokenizer& tokenizer, ScoredTokens tokens,
                         ScoreResult& result)
    : request_(request), tokenizer_(tokenizer), tokens_(std::move(tokens)), result_(result) {
  for (const TextToken& token : tokens_.tokens) ids_.push_back(token.id);
  result_.words = WordsOf(request_.text);
  result_.bytes = static_cast<int64_t>(request_.text.size());
  if (!request_.options.return_attention) return;
  result_.attention.columns = 1 + count();
  for (const int32_t id : ids_) result_.token_texts.push_back(tokenizer_.Piece(id));
}

int64_t ScoreRecord::answer_bytes() const {
  const int64_t scored = count() - unscored();
  int64_t bytes = 0;
  if (request_.options.return_tokens) bytes += scored * (kTokenScoreBytes + request_.options.top_k * kAlternativeBytes);
  if (request_.options.return_attention) bytes += scored * (1 + count()) * static_cast<int64_t>(sizeof(float));
  return bytes;
}

NextTokenQuery ScoreRecord::QueryOf(int64_t index) const {
  NextTokenQuery query;
  query.target = ids_[static_cast<size_t>(index)];
  query.rank = request_.options.return_tokens;
  query.top = std::max(1, request_.options.top_k);
  return query;
}

TokenScore ScoreRecord::ScoreOf(const TextToken& token) const {
  TokenScore score;
  score.token = tokenizer_.Piece(token.id);
  score.id = token.id;
  if (tokens_.layout.has_offsets) {
    score.start = std::max<int64_t>(0, token.start - tokens_.layout.text_offset);
    score.end = std::max<int64_t>(0, token.end - tokens_.layout.text_offset);
  }
  score.is_unknown = token.is_unknown;
  return score;
}

void ScoreRecord::TakeAnswer(const TextToken& token, const NextTokenAnswer& answer) {
  result_.log_probability += static_cast<double>(answer.log_probability);
  ++result_.tokens;
  result_.is_greedy = result_.is_greedy && !answer.best.empty() && answer.best[0].id == token.id;
  if (!request_.options.return_tokens) return;
  TokenScore score = ScoreOf(token);
  score.log_probability = answer.log_probability;
  score.rank = answer.rank;
  for (int k = 0; k < request_.options.top_k && k < static_cast<int>(answer.best.size()); ++k) {
    const Candidate& candidate = answer.best[static_cast<size_t>(k)];
    score.top.push_back({tokenizer_.Piece(candidate.id), candidate.logit});
  }
  result_.token_scores.push_back(std::move(score));
}

void ScoreRecord::Add(int64_t index, const NextTokenAnswer* answer, const std::vector<float>& attention) {
  const TextToken& token = tokens_.tokens[static_cast<size_t>(index)];
  if (token.is_unknown) {
    ++result_.unknown_tokens;
    const int64_t offset = tokens_.layout.text_offset;
    if (tokens_.layout.has_offsets) {
      unknown_words_.Add(request_.text, token.start - offset, token.end - offset, result_.unknown_words);
    }
  }
  if (answer != nullptr && answer->is_defined) {
    TakeAnswer(token, *answer);
  } else if (request_.options.return_tokens) {
    result_.token_scores.push_back(ScoreOf(token));
  }
  if (!request_.options.return_attention) return;
  std::vector<float>& weights = result_.attention.weights;
  const size_t end = weights.size() + static_cast<size_t>(result_.attention.columns);
  weights.insert(weights.end(), attention.begin(), attention.end());
  weights.resize(end);
  ++result_.attention.rows;
}

}  // namespace heed
