// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_classification.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

XlnetOutputs SummaryOutputs(XlnetSummary summary) {
  switch (summary) {
    case XlnetSummary::kFirst:
      return XlnetOutputs::kFirst;
    case XlnetSummary::kMean:
      return XlnetOutputs::kAll;
    case XlnetSummary::kLast:
      break;
  }
  return XlnetOutputs::kLast;
}

}  // namespace

XlnetClassification::XlnetClassification(const XlnetNetwork& network, const XlnetHeads& heads,
                                         const TextTokenizer& tokenizer, XlnetInputs inputs,
                                         const TextClassificationRequest& request)
    : XlnetEncoding(network, tokenizer, std::move(inputs), SummaryOutputs(network.config().summary),
                    network.config().layers, request.return_attention),
      config_(network.config()),
      heads_(heads),
      chooses_(!request.choices.empty()),
      function_(FunctionOf(request.function)),
      top_(request.top) {
  result_.tokens = token_count();
  result_.truncated = truncated();
}

int64_t XlnetClassification::answer_bytes() const {
  constexpr int64_t kLabelBytes = 64;
  const size_t labels = chooses_ ? inputs().size() : config_.labels.size();
  return static_cast<int64_t>(labels) * kLabelBytes + attention_bytes(1);
}

LabelFunction XlnetClassification::FunctionOf(LabelFunction asked) const {
  if (asked != LabelFunction::kModel) return asked;
  if (chooses_) return LabelFunction::kSoftmax;
  if (config_.problem == XlnetProblem::kRegression) return LabelFunction::kNone;
  const bool is_multi = config_.problem == XlnetProblem::kMultiLabel || config_.labels.size() == 1;
  return is_multi ? LabelFunction::kSigmoid : LabelFunction::kSoftmax;
}

void XlnetClassification::Normalize(std::vector<float>& logits) const {
  switch (function_) {
    case LabelFunction::kSoftmax:
      logits = LogSoftmax(logits, std::vector<bool>(logits.size(), true));
      for (float& value : logits) value = std::exp(value);
      return;
    case LabelFunction::kSigmoid:
      for (float& value : logits) value = Sigmoid(value);
      return;
    case LabelFunction::kModel:
    case LabelFunction::kNone:
      return;
  }
}

void XlnetClassification::TakeInput(size_t index, ConstMatrixView outputs, Context& context) {
  std::vector<float> logits = heads_.Logits(heads_.Summary(outputs, context), context);
  if (chooses_) {
    scores_.push_back(logits[0]);
  } else {
    Normalize(logits);
    scores_.resize(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) scores_[i] += logits[i];
  }
  if (!wants_attention() || index > 0) return;
  result_.token_texts = TokenTexts(0);
  result_.attention.rows = 1;
  result_.attention.columns = 1 + inputs()[0].size();
  result_.attention.weights.assign(static_cast<size_t>(result_.attention.columns), 0.0f);
  // Where the summary is a mean, so is what it was taken from.
  for (int64_t row = 0; row < outputs.rows; ++row) {
    const std::vector<float>& weights = attention(0, static_cast<size_t>(row));
    for (size_t i = 0; i < weights.size(); ++i) {
      result_.attention.weights[i] += weights[i] / static_cast<float>(outputs.rows);
    }
  }
}

void XlnetClassification::Conclude() {
  if (chooses_) {
    Normalize(scores_);
  } else {
    for (float& score : scores_) score /= static_cast<float>(inputs().size());
  }
  if (std::any_of(scores_.begin(), scores_.end(), [](float score) { return !std::isfinite(score); })) {
    return Finish(absl::InternalError("the model computed scores that are not numbers: its weights are damaged"));
  }
  for (size_t i = 0; i < scores_.size(); ++i) {
    result_.labels.push_back({chooses_ ? absl::StrCat(i) : config_.labels[i], scores_[i]});
  }
  std::stable_sort(result_.labels.begin(), result_.labels.end(),
                   [](const TextLabel& a, const TextLabel& b) { return a.score > b.score; });
  if (top_ > 0 && result_.labels.size() > static_cast<size_t>(top_)) result_.labels.resize(static_cast<size_t>(top_));
  Finish();
}

}  // namespace heed
