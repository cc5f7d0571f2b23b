// SPDX-License-Identifier: Apache-2.0
#include "models/language/scoring_task.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "models/language/text_state.h"

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

ScoringTask::ScoringTask(const CausalNetwork& network, const TextTokenizer& tokenizer, ScoreRequest request,
                         std::vector<TextToken> tokens, Layout layout)
    : network_(network),
      tokenizer_(tokenizer),
      request_(std::move(request)),
      tokens_(std::move(tokens)),
      layout_(layout) {
  for (const TextToken& token : tokens_) ids_.push_back(token.id);
  if (request_.state != nullptr) read_before_ = request_.state->units();
  result_.words = WordsOf(request_.text);
  result_.bytes = static_cast<int64_t>(request_.text.size());
  if (request_.options.return_attention) {
    result_.attention.columns = 1 + count();
    for (const int32_t id : ids_) result_.token_texts.push_back(tokenizer_.Piece(id));
  }
  if (tokens_.empty()) {
    if (request_.keep_state) state_ = request_.state;
    Finish();
  }
}

int64_t ScoringTask::stretch() const { return std::min(kTokensPerReading, count() - next_); }

int64_t ScoringTask::next_rows() const { return std::max<int64_t>(1, stretch()); }

int64_t ScoringTask::peak_bytes() const {
  return network_.MemoryBytes(read_before_, count()) + count() * static_cast<int64_t>(sizeof(TextToken)) +
         answer_bytes();
}

int64_t ScoringTask::answer_bytes() const {
  const int64_t scored = count() - layout_.unscored;
  int64_t bytes = 0;
  if (request_.options.return_tokens) bytes += scored * (kTokenScoreBytes + request_.options.top_k * kAlternativeBytes);
  if (request_.options.return_attention) bytes += scored * (1 + count()) * static_cast<int64_t>(sizeof(float));
  return bytes;
}

void ScoringTask::AppendReadings(std::vector<Reading>& readings) {
  if (memory_ == nullptr) {
    const MemoryOptions options{.segment_tokens = request_.options.segment_tokens};
    memory_ = request_.state == nullptr ? network_.NewMemory(options)
                                        : static_cast<const TextState&>(*request_.state).memory().Fork();
  }
  asked_.clear();
  queries_.clear();
  const int64_t length = stretch();
  for (int64_t i = std::max(next_, layout_.unscored); i < next_ + length; ++i) {
    if (read_before_ + i == 0) continue;  // nothing stands before it
    NextTokenQuery& query = queries_.emplace_back();
    query.after = i - next_;
    query.target = ids_[static_cast<size_t>(i)];
    query.rank = request_.options.return_tokens;
    query.top = std::max(1, request_.options.top_k);
    asked_.push_back(i);
  }
  answers_.assign(queries_.size(), {});
  if (request_.options.return_attention) {
    attention_.assign(queries_.size(), {});
    for (size_t q = 0; q < queries_.size(); ++q) queries_[q].attention = &attention_[q];
  }
  readings.push_back({memory_.get(),
                      absl::MakeConstSpan(ids_).subspan(static_cast<size_t>(next_), static_cast<size_t>(length)),
                      queries_, absl::MakeSpan(answers_)});
}

TokenScore ScoringTask::ScoreOf(const TextToken& token) const {
  TokenScore score;
  score.token = tokenizer_.Piece(token.id);
  score.id = token.id;
  if (layout_.has_offsets) {
    score.start = std::max<int64_t>(0, token.start - layout_.text_offset);
    score.end = std::max<int64_t>(0, token.end - layout_.text_offset);
  }
  score.is_unknown = token.is_unknown;
  return score;
}

void ScoringTask::CountUnknown(const TextToken& token) {
  ++result_.unknown_tokens;
  if (!layout_.has_offsets || static_cast<int64_t>(result_.unknown_words.size()) >= kMaxUnknownWords) return;
  const int64_t start = std::max<int64_t>(0, token.start - layout_.text_offset);
  const int64_t end = std::max<int64_t>(start, token.end - layout_.text_offset);
  std::string word = request_.text.substr(static_cast<size_t>(start), static_cast<size_t>(end - start));
  if (!word.empty() && unknown_words_.insert(word).second) result_.unknown_words.push_back(std::move(word));
}

void ScoringTask::AddAttention(const std::vector<float>& weights, int64_t index) {
  TextAttention& attention = result_.attention;
  const size_t row = attention.weights.size();
  attention.weights.resize(row + static_cast<size_t>(attention.columns));
  if (weights.empty()) return;
  const int64_t held = static_cast<int64_t>(weights.size()) - 1;
  attention.weights[row] = weights[0];
  for (int64_t i = 0; i < held; ++i) {
    const int64_t own = index - held + i;  // its index among tokens_; below 0: read before
    attention.weights[row + static_cast<size_t>(std::max<int64_t>(0, own + 1))] += weights[static_cast<size_t>(i + 1)];
  }
}

void ScoringTask::TakeAnswer(int64_t index, const NextTokenAnswer& answer) {
  const TextToken& token = tokens_[static_cast<size_t>(index)];
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

void ScoringTask::Take() {
  const auto is_number = [](const NextTokenAnswer& answer) {
    return !answer.is_defined || std::isfinite(answer.log_probability);
  };
  if (!std::all_of(answers_.begin(), answers_.end(), is_number)) {
    return Finish(
        absl::InternalError("the model computed probabilities that are not numbers: its weights are damaged"));
  }
  size_t q = 0;
  const int64_t end = next_ + stretch();
  for (int64_t i = next_; i < end; ++i) {
    if (i < layout_.unscored) continue;
    const TextToken& token = tokens_[static_cast<size_t>(i)];
    if (token.is_unknown) CountUnknown(token);
    const bool is_asked = q < asked_.size() && asked_[q] == i;
    if (is_asked && answers_[q].is_defined) {
      TakeAnswer(i, answers_[q]);
    } else if (request_.options.return_tokens) {
      result_.token_scores.push_back(ScoreOf(token));
    }
    if (request_.options.return_attention) {
      AddAttention(is_asked ? attention_[q] : std::vector<float>(), i);
      ++result_.attention.rows;
    }
    q += is_asked;
  }
  next_ = end;
  if (next_ == count()) Conclude();
}

void ScoringTask::Conclude() {
  if (request_.keep_state) state_ = std::make_shared<const TextState>(std::move(memory_));
  memory_.reset();
  Finish();
}

}  // namespace heed
