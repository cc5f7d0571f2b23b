// SPDX-License-Identifier: Apache-2.0
#include "models/language/scoring_task.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/language/text_state.h"

namespace heed {

ScoringTask::ScoringTask(const CausalNetwork& network, const TextTokenizer& tokenizer, ScoreRequest request,
                         ScoredTokens tokens)
    : network_(network), request_(std::move(request)), record_(request_, tokenizer, std::move(tokens), result_) {
  if (request_.state != nullptr) read_before_ = request_.state->units();
  if (record_.count() == 0) {
    if (request_.keep_state) state_ = request_.state;
    Finish();
  }
}

int64_t ScoringTask::stretch() const { return std::min(kTokensPerReading, record_.count() - next_); }

int64_t ScoringTask::next_rows() const { return std::max<int64_t>(1, stretch()); }

int64_t ScoringTask::peak_bytes() const {
  return network_.MemoryBytes(read_before_, record_.count()) +
         record_.count() * static_cast<int64_t>(sizeof(TextToken)) + answer_bytes();
}

int64_t ScoringTask::answer_bytes() const { return record_.answer_bytes(); }

void ScoringTask::AppendReadings(std::vector<Reading>& readings) {
  if (memory_ == nullptr) {
    const MemoryOptions options{.segment_tokens = request_.options.segment_tokens};
    memory_ = request_.state == nullptr ? network_.NewMemory(options)
                                        : static_cast<const TextState&>(*request_.state).memory().Fork();
  }
  asked_.clear();
  queries_.clear();
  const int64_t length = stretch();
  for (int64_t i = std::max(next_, record_.unscored()); i < next_ + length; ++i) {
    if (read_before_ + i == 0) continue;  // nothing stands before it
    queries_.push_back(record_.QueryOf(i));
    queries_.back().after = i - next_;
    asked_.push_back(i);
  }
  answers_.assign(queries_.size(), {});
  if (request_.options.return_attention) {
    attention_.assign(queries_.size(), {});
    for (size_t q = 0; q < queries_.size(); ++q) queries_[q].attention = &attention_[q];
  }
  readings.push_back(
      {memory_.get(),
       absl::MakeConstSpan(record_.ids()).subspan(static_cast<size_t>(next_), static_cast<size_t>(length)), queries_,
       absl::MakeSpan(answers_)});
}

std::vector<float> ScoringTask::AttentionOf(const std::vector<float>& weights, int64_t index) const {
  if (weights.empty()) return {};
  std::vector<float> row(static_cast<size_t>(1 + record_.count()));
  const int64_t held = static_cast<int64_t>(weights.size()) - 1;
  row[0] = weights[0];
  for (int64_t i = 0; i < held; ++i) {
    const int64_t own = index - held + i;  // its index among the tokens; below 0: read before
    row[static_cast<size_t>(std::max<int64_t>(0, own + 1))] += weights[static_cast<size_t>(i + 1)];
  }
  return row;
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
  for (int64_t i = std::max(next_, record_.unscored()); i < end; ++i) {
    const bool is_asked = q < asked_.size() && asked_[q] == i;
    const bool has_attention = is_asked && request_.options.return_attention;
    record_.Add(i, is_asked ? &answers_[q] : nullptr,
                has_attention ? AttentionOf(attention_[q], i) : std::vector<float>());
    q += is_asked;
  }
  next_ = end;
  if (next_ == record_.count()) Conclude();
}

void ScoringTask::Conclude() {
  if (request_.keep_state) state_ = std::make_shared<const TextState>(std::move(memory_));
  memory_.reset();
  Finish();
}

}  // namespace heed
