// SPDX-License-Identifier: Apache-2.0
#include "models/translation/rnn_decoder_start.h"

#include <algorithm>

#include "base/status_macros.h"

namespace heed {
namespace {

void Fill(MatrixView to, float value) {
  for (int64_t i = 0; i < to.rows; ++i) std::fill_n(to.row(i), to.cols, value);
}

void Copy(ConstMatrixView from, MatrixView to) {
  for (int64_t i = 0; i < to.rows; ++i) std::copy_n(from.row(i), to.cols, to.row(i));
}

// means [sentences, width] of each sentence's rows.
void ComputeMeans(absl::Span<const PackedSequence> sentences, ConstMatrixView rows, MatrixView means) {
  Fill(means, 0);
  for (size_t s = 0; s < sentences.size(); ++s) {
    float* mean = means.row(static_cast<int64_t>(s));
    for (int64_t t = 0; t < sentences[s].length; ++t) {
      const float* row = rows.row(sentences[s].first + t);
      for (int64_t i = 0; i < means.cols; ++i) mean[i] += row[i];
    }
    for (int64_t i = 0; i < means.cols; ++i) mean[i] /= static_cast<float>(sentences[s].length);
  }
}

}  // namespace

absl::StatusOr<RnnDecoderStart> RnnDecoderStart::Load(const WeightReader& scope, const RnnConfig& config) {
  RnnDecoderStart start;
  start.config_ = &config;
  const RnnInitConfig& init = config.init;
  if (!init.linear) return start;
  const int64_t outputs = config.encoder.width();
  int64_t in = outputs, out = config.hidden_size;
  if (init.from == RnnStart::kTopForward) in = config.encoder.hidden_size;
  if (init.from == RnnStart::kFlattened) in = out = config.encoder.layers * config.encoder.hidden_size;
  const auto layer = [&](const char* name) {
    return scope.ReadLinear(name, out, in, init.bias, init.activation, PreferredBackend(RowCount::kFew));
  };
  HEED_ASSIGN_OR_RETURN(start.hidden_, layer("hidden"));
  if (config.cell == CellKind::kLstm && init.cell == RnnCellStart::kOwn) {
    HEED_ASSIGN_OR_RETURN(start.cell_, layer("cell"));
  }
  return start;
}

// The states of all decoder layers from one kind of the encoder's final states, its hidden or its cell states.
void RnnDecoderStart::ComputeOne(const Encoded& encoded, ConstMatrixView final_state,
                                 const std::optional<Linear>& linear, MatrixView state, Context& context) const {
  const int64_t width = config_->encoder.width(), top = (config_->encoder.layers - 1) * width;
  const int64_t hidden = config_->hidden_size;
  const Arena::Scope scope(context.arena);
  // activation(W f + b), or f itself
  const auto start_from = [&](ConstMatrixView f, MatrixView to) {
    if (!linear) return Copy(f, to);
    const MatrixView mapped = TakeMatrix(context.arena, f.rows, linear->out());
    linear->Apply(f, mapped, context);
    Copy(mapped, to);
  };
  const auto layer = [&](int64_t k) { return state.Cols(k * hidden, hidden); };
  switch (config_->init.from) {
    case RnnStart::kZeros:
      return Fill(state, 0);
    case RnnStart::kLayers:
      for (int64_t k = 0; k < config_->decoder_layers; ++k) start_from(final_state.Cols(k * width, width), layer(k));
      return;
    case RnnStart::kFlattened: {
      const int64_t part = linear->in();
      for (int64_t at = 0; at < final_state.cols; at += part)
        start_from(final_state.Cols(at, part), state.Cols(at, part));
      return;
    }
    case RnnStart::kTop:
      start_from(final_state.Cols(top, width), layer(0));
      break;
    case RnnStart::kTopForward:
      start_from(final_state.Cols(top, config_->encoder.hidden_size), layer(0));
      break;
    case RnnStart::kMean: {
      const MatrixView means = TakeMatrix(context.arena, state.rows, width);
      ComputeMeans(encoded.sentences, encoded.outputs, means);
      start_from(means, layer(0));
      break;
    }
  }
  for (int64_t k = 1; k < config_->decoder_layers; ++k) Copy(layer(0), layer(k));
}

void RnnDecoderStart::Compute(const Encoded& encoded, MatrixView hidden, MatrixView cell, Context& context) const {
  ComputeOne(encoded, encoded.final_hidden, hidden_, hidden, context);
  if (config_->cell != CellKind::kLstm) return;
  switch (config_->init.cell) {
    case RnnCellStart::kOwn:
      return ComputeOne(encoded, encoded.final_cell, cell_, cell, context);
    case RnnCellStart::kHidden:
      return Copy(hidden, cell);
    case RnnCellStart::kZeros:
      return Fill(cell, 0);
  }
}

}  // namespace heed
