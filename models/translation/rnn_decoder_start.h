// SPDX-License-Identifier: Apache-2.0
// The state that a recurrent decoder starts with, from what the encoder left: docs/rnn-seq2seq.md, "The decoder's first
// state".
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "models/layers/packed_sequence.h"
#include "models/layers/weight_reader.h"
#include "models/translation/rnn_config.h"

namespace heed {

// Immutable after load, thread-safe. A sentence's bits do not depend on the sentences beside it.
class RnnDecoderStart {
 public:
  // What an encoder leaves of each sentence: models/layers/recurrent_layers.h.
  struct Encoded {
    absl::Span<const PackedSequence> sentences;
    ConstMatrixView outputs;                   // [rows, width]
    ConstMatrixView final_hidden, final_cell;  // [sentences, layers width]
  };

  // Reads the tensors of the scope `init`. `config` must outlive this object.
  static absl::StatusOr<RnnDecoderStart> Load(const WeightReader& scope, const RnnConfig& config);
  RnnDecoderStart() = default;

  // hidden, and for LSTM cell, [sentences, decoder layers x hidden size]: layer after layer.
  void Compute(const Encoded& encoded, MatrixView hidden, MatrixView cell, Context& context) const;

 private:
  void ComputeOne(const Encoded& encoded, ConstMatrixView final_state, const std::optional<Linear>& linear,
                  MatrixView state, Context& context) const;

  const RnnConfig* config_ = nullptr;
  std::optional<Linear> hidden_, cell_;
};

}  // namespace heed
