// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_embedding.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace heed {
namespace {

XlnetOutputs PooledOutputs(Pooling pooling, XlnetSummary summary) {
  if (pooling == Pooling::kLast) return XlnetOutputs::kLast;
  if (pooling != Pooling::kSummary || summary == XlnetSummary::kMean) return XlnetOutputs::kAll;
  return summary == XlnetSummary::kFirst ? XlnetOutputs::kFirst : XlnetOutputs::kLast;
}

}  // namespace

XlnetEmbedding::XlnetEmbedding(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer,
                               XlnetInputs inputs, const EmbedRequest& request, int64_t depth)
    : XlnetEncoding(
          network, tokenizer, std::move(inputs),
          request.return_attention ? XlnetOutputs::kAll : PooledOutputs(request.pooling, network.config().summary),
          depth, request.return_attention),
      heads_(heads),
      tokenizer_(tokenizer),
      pooling_(request.pooling),
      summary_(network.config().summary),
      normalize_(request.normalize),
      width_(network.config().d_model) {
  result_.width = width_;
  result_.token_count = token_count();
  result_.truncated = truncated();
}

int64_t XlnetEmbedding::answer_bytes() const {
  constexpr int64_t kTokenBytes = 96;
  const int64_t vectors = pooling_ == Pooling::kTokens ? token_count() : 1;
  return vectors * (width_ * static_cast<int64_t>(sizeof(float)) + kTokenBytes) + attention_bytes(inputs()[0].size());
}

// Each token's vector once: of two windows that both have it, the first half of what they share is the former's.
void XlnetEmbedding::TakeTokens(size_t index, ConstMatrixView outputs) {
  const XlnetInput& input = inputs()[index];
  int64_t begin = 0, end = input.size();
  if (index > 0) {
    const XlnetInput& former = inputs()[index - 1];
    begin = (former.first_skipped + former.first_end - input.first_skipped) / 2;
  }
  if (index + 1 < inputs().size()) {
    const int64_t shared = input.first_skipped + input.first_end - inputs()[index + 1].first_skipped;
    end = input.first_end - shared + shared / 2;
  }
  for (int64_t i = begin; i < end; ++i) {
    const TextToken& token = input.tokens[static_cast<size_t>(i)];
    result_.tokens.push_back({tokenizer_.Piece(token.id), token.start, token.end});
    result_.values.insert(result_.values.end(), outputs.row(i), outputs.row(i) + width_);
  }
}

void XlnetEmbedding::TakeInput(size_t index, ConstMatrixView outputs, Context& context) {
  if (wants_attention() && index == 0) {
    result_.token_texts = TokenTexts(0);
    result_.attention.rows = outputs.rows;
    result_.attention.columns = 1 + outputs.rows;
    for (int64_t row = 0; row < outputs.rows; ++row) {
      const std::vector<float>& weights = attention(0, static_cast<size_t>(row));
      result_.attention.weights.insert(result_.attention.weights.end(), weights.begin(), weights.end());
    }
  }
  if (pooling_ == Pooling::kTokens) return TakeTokens(index, outputs);
  // Over windows the mean, which for kMean counts tokens.
  result_.values.resize(static_cast<size_t>(width_));
  const auto add = [&](const float* row) {
    for (size_t j = 0; j < result_.values.size(); ++j) result_.values[j] += row[j];
    ++weight_;
  };
  switch (pooling_) {
    case Pooling::kSummary: {
      ConstMatrixView rows = outputs;
      if (outputs.rows > 1 && wants_attention()) {
        const XlnetOutputs taken = PooledOutputs(pooling_, summary_);
        if (taken != XlnetOutputs::kAll) rows = outputs.Rows(taken == XlnetOutputs::kLast ? outputs.rows - 1 : 0, 1);
      }
      add(heads_.Summary(rows, context).data());
      return;
    }
    case Pooling::kLast:
      return add(outputs.row(outputs.rows - 1));
    case Pooling::kMean:
    case Pooling::kTokens:
      for (int64_t i = 0; i < outputs.rows; ++i) add(outputs.row(i));
      return;
  }
}

void XlnetEmbedding::Conclude() {
  if (pooling_ != Pooling::kTokens) {
    for (float& value : result_.values) value /= static_cast<float>(weight_);
  }
  for (size_t begin = 0; normalize_ && begin < result_.values.size(); begin += static_cast<size_t>(width_)) {
    double square = 0;
    for (size_t j = begin; j < begin + static_cast<size_t>(width_); ++j) {
      square += static_cast<double>(result_.values[j]) * result_.values[j];
    }
    const float factor = square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.0f;
    for (size_t j = begin; j < begin + static_cast<size_t>(width_); ++j) result_.values[j] *= factor;
  }
  if (std::any_of(result_.values.begin(), result_.values.end(), [](float value) { return !std::isfinite(value); })) {
    return Finish(absl::InternalError("the model computed numbers that are none: its weights are damaged"));
  }
  Finish();
}

}  // namespace heed
