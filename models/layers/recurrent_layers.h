// SPDX-License-Identifier: Apache-2.0
// Stacked recurrent layers over whole sequences, in one direction or both: what torch.nn.GRU and torch.nn.LSTM compute
// over packed sequences.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "models/layers/packed_sequence.h"
#include "models/layers/recurrent_cell.h"
#include "models/layers/weight_reader.h"

namespace heed {

struct RecurrentLayersConfig {
  CellKind cell = CellKind::kGru;
  int64_t inputs = 0;
  int64_t hidden_size = 0;  // of one direction
  int64_t layers = 0;
  bool bidirectional = false;

  int64_t directions() const { return bidirectional ? 2 : 1; }
  int64_t width() const { return directions() * hidden_size; }  // of an output
  int64_t final_width() const { return layers * width(); }      // of a sequence's final states
};

// Immutable after load, thread-safe. A sequence's bits do not depend on the sequences beside it.
class RecurrentLayers {
 public:
  // Reads weight_ih_l{k}, weight_hh_l{k}, bias_ih_l{k}, bias_hh_l{k} of the scope, and those with `_reverse`.
  static absl::StatusOr<RecurrentLayers> Load(const WeightReader& scope, const RecurrentLayersConfig& config);
  RecurrentLayers() = default;

  // Runs over `sequences` of x [rows, inputs], which start with zeros; the backward direction starts at a sequence's
  // own last row. outputs [rows, width()]: the top layer's, [forward ; backward]. final_hidden, and for LSTM
  // final_cell, [sequences, final_width()]: each layer's and direction's last state, in the order layer 0 forward,
  // layer 0 backward, layer 1 forward, ... (another cell's final_cell is not touched).
  void Apply(ConstMatrixView x, absl::Span<const PackedSequence> sequences, MatrixView outputs, MatrixView final_hidden,
             MatrixView final_cell, Context& context) const;

 private:
  struct Direction;
  void Run(const Direction& direction, absl::Span<const PackedSequence> longest_first, MatrixView outputs,
           MatrixView hidden, MatrixView cell, Context& context) const;

  RecurrentLayersConfig config_;
  std::vector<RecurrentCell> cells_;  // layer 0 forward, layer 0 backward, layer 1 forward, ...
};

}  // namespace heed
