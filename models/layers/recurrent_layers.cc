// SPDX-License-Identifier: Apache-2.0
#include "models/layers/recurrent_layers.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace heed {

// A direction of one layer.
struct RecurrentLayers::Direction {
  const RecurrentCell& cell;
  ConstMatrixView projected;  // [rows, gates]
  bool backward;
};

absl::StatusOr<RecurrentLayers> RecurrentLayers::Load(const WeightReader& scope, const RecurrentLayersConfig& config) {
  RecurrentLayers layers;
  layers.config_ = config;
  for (int64_t k = 0; k < config.layers; ++k) {
    const int64_t inputs = k == 0 ? config.inputs : config.width();
    for (int64_t direction = 0; direction < config.directions(); ++direction) {
      HEED_ASSIGN_OR_RETURN(RecurrentCell cell,
                            RecurrentCell::Load(scope, absl::StrCat("_l", k, direction == 0 ? "" : "_reverse"),
                                                config.cell, inputs, config.hidden_size));
      layers.cells_.push_back(std::move(cell));
    }
  }
  return layers;
}

// One token of each sequence at a time. Row i of hidden and cell is sequence i: those that still run come first.
void RecurrentLayers::Run(const Direction& direction, absl::Span<const PackedSequence> longest_first,
                          MatrixView outputs, MatrixView hidden, MatrixView cell, Context& context) const {
  int64_t running = static_cast<int64_t>(longest_first.size());
  for (int64_t t = 0; t < longest_first.front().length; ++t) {
    while (longest_first[static_cast<size_t>(running - 1)].length <= t) --running;
    const auto row_of = [&](int64_t i) {
      const PackedSequence& sequence = longest_first[static_cast<size_t>(i)];
      return sequence.first + (direction.backward ? sequence.length - 1 - t : t);
    };
    direction.cell.Advance([&](int64_t i) -> const float* { return direction.projected.row(row_of(i)); },
                           hidden.Rows(0, running), cell.Rows(0, running), context);
    for (int64_t i = 0; i < running; ++i) std::copy_n(hidden.row(i), hidden.cols, outputs.row(row_of(i)));
  }
}

void RecurrentLayers::Apply(ConstMatrixView x, absl::Span<const PackedSequence> sequences, MatrixView outputs,
                            MatrixView final_hidden, MatrixView final_cell, Context& context) const {
  if (sequences.empty()) return;
  const int64_t count = static_cast<int64_t>(sequences.size()), width = config_.hidden_size;
  std::vector<size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sequences[a].length > sequences[b].length; });
  std::vector<PackedSequence> longest_first;
  for (const size_t i : order) longest_first.push_back(sequences[i]);

  const bool lstm = config_.cell == CellKind::kLstm;
  const Arena::Scope scope(context.arena);
  const MatrixView hidden = TakeMatrix(context.arena, count, width);
  const MatrixView cell = TakeMatrix(context.arena, count, width);
  const MatrixView projected = TakeMatrix(context.arena, x.rows, cells_.front().gates());
  // Layers alternate between two buffers, because a layer must not overwrite its own input. The last one needs none.
  MatrixView between[2];
  for (int64_t k = 0; k < std::min<int64_t>(2, config_.layers - 1); ++k) {
    between[k] = TakeMatrix(context.arena, x.rows, config_.width());
  }
  ConstMatrixView below = x;
  for (int64_t k = 0; k < config_.layers; ++k) {
    const MatrixView above = k + 1 < config_.layers ? between[k % 2] : outputs;
    for (int64_t direction = 0; direction < config_.directions(); ++direction) {
      const int64_t which = k * config_.directions() + direction;
      const Direction run = {cells_[static_cast<size_t>(which)], projected, direction == 1};
      run.cell.Project(below, projected, context);
      for (int64_t i = 0; i < count; ++i) {
        std::fill_n(hidden.row(i), width, 0.0f);
        std::fill_n(cell.row(i), width, 0.0f);
      }
      Run(run, longest_first, above.Cols(direction * width, width), hidden, cell, context);
      for (size_t i = 0; i < order.size(); ++i) {
        const int64_t to = static_cast<int64_t>(order[i]), from = static_cast<int64_t>(i);
        std::copy_n(hidden.row(from), width, final_hidden.row(to) + which * width);
        if (lstm) std::copy_n(cell.row(from), width, final_cell.row(to) + which * width);
      }
    }
    below = above;
  }
}

}  // namespace heed
