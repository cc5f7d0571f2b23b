// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/transformer_xl_encoding.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/invalid_argument.h"
#include "engine/kernels/log_probabilities.h"
#include "models/language/causal_task.h"

namespace heed {

absl::StatusOr<WindowedText> CutText(std::vector<TextToken> tokens, int64_t max_tokens, Overlong overlong) {
  WindowedText text;
  text.tokens = std::move(tokens);
  const int64_t count = static_cast<int64_t>(text.tokens.size());
  if (count == 0) return InvalidField("text", "has no tokens");
  if (max_tokens == 0 || count <= max_tokens) {
    text.windows.push_back({0, count});
    return text;
  }
  switch (overlong) {
    case Overlong::kRefuse:
      return InvalidField("text", count, " tokens, but max_tokens is ", max_tokens, " and overlong is REFUSE");
    case Overlong::kTruncate:
      text.tokens.resize(static_cast<size_t>(max_tokens));
      text.windows.push_back({0, max_tokens});
      text.truncated = true;
      return text;
    case Overlong::kWindows:
      break;
  }
  const int64_t advance = std::max<int64_t>(1, max_tokens / 2);
  for (int64_t first = 0;; first += advance) {
    text.windows.push_back({first, std::min(first + max_tokens, count)});
    if (text.windows.back().last == count) return text;
  }
}

TransformerXlEncoding::TransformerXlEncoding(const TransformerXlNetwork& network, const TextTokenizer& tokenizer,
                                             WindowedText text, int64_t layer, AttentionOf attention)
    : network_(network), tokenizer_(tokenizer), text_(std::move(text)), layer_(layer), attention_of_(attention) {
  for (const TextToken& token : text_.tokens) ids_.push_back(token.id);
}

int64_t TransformerXlEncoding::stretch() const {
  return window_ == windows().size() ? 0 : std::min(kTokensPerReading, windows()[window_].last - next_);
}

int64_t TransformerXlEncoding::step_rows() const { return std::max<int64_t>(1, stretch()); }

int64_t TransformerXlEncoding::step_bytes() const {
  const TextWindow& first = windows()[0];  // the longest
  const int64_t rows = std::min(kTokensPerReading, first.last - first.first);
  return network_.MemoryBytes(0, first.last - first.first) +
         rows * PaddedStride(network_.config().d_model) * static_cast<int64_t>(sizeof(float)) +
         static_cast<int64_t>(tokens().size() * (sizeof(TextToken) + sizeof(int32_t)));
}

int64_t TransformerXlEncoding::attention_bytes() const {
  const int64_t columns = 1 + windows()[0].last;
  const int64_t rows = attention_of_ == AttentionOf::kAll ? columns - 1 : attention_of_ == AttentionOf::kLast ? 1 : 0;
  return rows * columns * static_cast<int64_t>(sizeof(float));
}

void TransformerXlEncoding::AppendReading(std::vector<Reading>& readings,
                                          std::vector<TransformerXlNetwork::HiddenStates>& wanted) {
  if (memory_ == nullptr) memory_ = network_.NewMemoryOfOneSegment();
  const int64_t count = stretch();
  states_ = Matrix::Uninitialized(count, network_.config().d_model);
  readings.push_back({memory_.get(),
                      absl::MakeConstSpan(ids_).subspan(static_cast<size_t>(next_), static_cast<size_t>(count)),
                      {},
                      {}});
  TransformerXlNetwork::HiddenStates& states = wanted.emplace_back();
  states.layer = layer_;
  states.states = states_.view();
  attention_.clear();
  const bool ends = next_ + count == windows()[window_].last;
  if (window_ > 0 || attention_of_ == AttentionOf::kNone || (attention_of_ == AttentionOf::kLast && !ends)) return;
  states.attention = &attention_;
  states.attention_from = attention_of_ == AttentionOf::kLast ? count - 1 : 0;
}

void TransformerXlEncoding::Take(Context& context) {
  const TextWindow& window = windows()[window_];
  const int64_t first = next_;
  next_ += states_.rows();
  const int64_t asked = next_ - static_cast<int64_t>(attention_.size());
  for (size_t k = 0; k < attention_.size(); ++k) {
    // The weights are those of the last tokens up to this one; what was read before them is no longer seen.
    const std::vector<float>& weights = attention_[k];
    std::vector<float> row(static_cast<size_t>(1 + window.last));
    row[0] = weights[0];
    const int64_t seen = static_cast<int64_t>(weights.size()) - 1;
    std::copy(weights.begin() + 1, weights.end(), row.begin() + 2 + asked + static_cast<int64_t>(k) - seen);
    rows_.insert(rows_.end(), row.begin(), row.end());
  }
  const bool ends = next_ == window.last;
  TakeStates(states_.view(), first, ends, context);
  if (!ends) return;
  memory_ = nullptr;
  ++window_;
  if (window_ < windows().size()) {
    next_ = windows()[window_].first;
  } else {
    states_ = Matrix();
    Conclude();
  }
}

void TransformerXlEncoding::GiveAttention(std::vector<std::string>& token_texts, TextAttention& attention) {
  if (attention_of_ == AttentionOf::kNone) return;
  for (int64_t i = 0; i < windows()[0].last; ++i) {
    token_texts.push_back(tokenizer_.Piece(ids_[static_cast<size_t>(i)]));
  }
  attention.columns = 1 + windows()[0].last;
  attention.rows = static_cast<int64_t>(rows_.size()) / attention.columns;
  attention.weights = std::move(rows_);
}

TransformerXlClassification::TransformerXlClassification(const TransformerXlNetwork& network,
                                                         const TextTokenizer& tokenizer, WindowedText text,
                                                         const std::vector<std::string>& labels,
                                                         const TextClassificationRequest& request)
    : TransformerXlEncoding(network, tokenizer, std::move(text), network.config().layers,
                            request.return_attention ? AttentionOf::kLast : AttentionOf::kNone),
      classifier_(*network.classifier()),
      labels_(labels),
      function_(request.function),
      top_(request.top),
      scores_(labels.size()) {
  result_.tokens = static_cast<int64_t>(tokens().size());
  result_.truncated = truncated();
  if (function_ != LabelFunction::kModel) return;
  const auto& problem = network.config().problem;
  if (problem == TextProblem::kRegression) {
    function_ = LabelFunction::kNone;
  } else if (problem == TextProblem::kSeveralLabels || labels.size() == 1) {
    function_ = LabelFunction::kSigmoid;
  } else {
    function_ = LabelFunction::kSoftmax;
  }
}

int64_t TransformerXlClassification::answer_bytes() const {
  constexpr int64_t kLabelBytes = 64;
  return static_cast<int64_t>(labels_.size()) * kLabelBytes + attention_bytes();
}

void TransformerXlClassification::Normalize(std::vector<float>& logits) const {
  if (function_ == LabelFunction::kSigmoid) {
    for (float& value : logits) value = Sigmoid(value);
  } else if (function_ == LabelFunction::kSoftmax) {
    const float normalizer = LogSumExp(logits.data(), static_cast<int64_t>(logits.size()));
    for (float& value : logits) value = std::exp(value - normalizer);
  }
}

void TransformerXlClassification::TakeStates(ConstMatrixView states, int64_t, bool ends, Context& context) {
  if (!ends) return;
  Matrix logits(1, classifier_.out());
  classifier_.Apply(states.Rows(states.rows - 1, 1), logits.view(), context);
  std::vector<float> values(logits.row(0), logits.row(0) + classifier_.out());
  Normalize(values);
  for (size_t i = 0; i < values.size(); ++i) scores_[i] += values[i] / static_cast<float>(windows().size());
}

void TransformerXlClassification::Conclude() {
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (!std::isfinite(scores_[i])) {
      return Finish(absl::InternalError("the model computed scores that are not numbers: its weights are damaged"));
    }
    result_.labels.push_back({labels_[i], scores_[i]});
  }
  std::stable_sort(result_.labels.begin(), result_.labels.end(),
                   [](const TextLabel& a, const TextLabel& b) { return a.score > b.score; });
  if (top_ > 0 && static_cast<size_t>(top_) < result_.labels.size()) result_.labels.resize(static_cast<size_t>(top_));
  GiveAttention(result_.token_texts, result_.attention);
  Finish();
}

TransformerXlEmbedding::TransformerXlEmbedding(const TransformerXlNetwork& network, const TextTokenizer& tokenizer,
                                               WindowedText text, const EmbedRequest& request, int64_t layer)
    : TransformerXlEncoding(network, tokenizer, std::move(text), layer,
                            request.return_attention ? AttentionOf::kAll : AttentionOf::kNone),
      tokenizer_(tokenizer),
      pooling_(request.pooling),
      normalize_(request.normalize),
      width_(network.config().d_model) {
  result_.width = width_;
  result_.token_count = static_cast<int64_t>(tokens().size());
  result_.truncated = truncated();
}

int64_t TransformerXlEmbedding::answer_bytes() const {
  constexpr int64_t kTokenBytes = 96;
  const int64_t vectors = pooling_ == Pooling::kTokens ? static_cast<int64_t>(tokens().size()) : 1;
  return vectors * (width_ * static_cast<int64_t>(sizeof(float)) + kTokenBytes) + attention_bytes();
}

void TransformerXlEmbedding::TakeStates(ConstMatrixView states, int64_t first, bool ends, Context&) {
  const auto append = [&](int64_t i) {
    result_.values.insert(result_.values.end(), states.row(i), states.row(i) + width_);
  };
  switch (pooling_) {
    case Pooling::kTokens:
      for (int64_t i = 0; i < states.rows; ++i) {
        const TextToken& token = tokens()[static_cast<size_t>(first + i)];
        result_.tokens.push_back({tokenizer_.Piece(token.id), token.start, token.end});
        append(i);
      }
      return;
    case Pooling::kSummary:  // the token that a classifier would take its label from
    case Pooling::kLast:
      if (ends) append(states.rows - 1);
      return;
    case Pooling::kMean:
      result_.values.resize(static_cast<size_t>(width_));
      for (int64_t i = 0; i < states.rows; ++i) {
        for (size_t k = 0; k < result_.values.size(); ++k) result_.values[k] += states.row(i)[k];
      }
      return;
  }
}

void TransformerXlEmbedding::Conclude() {
  if (pooling_ == Pooling::kMean) {
    for (float& value : result_.values) value /= static_cast<float>(tokens().size());
  }
  const auto end = result_.values.end();
  for (auto vector = result_.values.begin(); normalize_ && vector != end; vector += width_) {
    double square = 0;
    for (int64_t k = 0; k < width_; ++k) square += static_cast<double>(vector[k]) * vector[k];
    const float factor = square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.0f;
    for (int64_t k = 0; k < width_; ++k) vector[k] *= factor;
  }
  if (!std::all_of(result_.values.begin(), end, [](float value) { return std::isfinite(value); })) {
    return Finish(absl::InternalError("the model computed numbers that are none: its weights are damaged"));
  }
  GiveAttention(result_.token_texts, result_.attention);
  Finish();
}

}  // namespace heed
