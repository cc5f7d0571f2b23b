// SPDX-License-Identifier: Apache-2.0
// Multi-head scaled dot-product attention over packed rows (Vaswani et al. 2017, section 3.2): the rows of all
// sequences of a batch, one after the other, without padding. In a row the heads lie side by side
// (engine/kernels/head_layout.h).
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/kernels/attention.h"
#include "models/layers/packed_sequence.h"

namespace heed {

// Each row attends to all rows of its own sequence. projected [rows, 3 d_model]: queries, keys and values side by side.
// attended [rows, d_model]. `sequences` are in the order of their rows and make up all of them.
void AttendWithinSequences(ConstMatrixView projected, absl::Span<const PackedSequence> sequences,
                           const HeadLayout& layout, MatrixView attended, Context& context);

// Rows that attend to the same keys and values.
struct RowsOfKeys {
  int64_t first = 0;
  int64_t rows = 0;
  int64_t keys = 0;
};

// The rows of each element of `parts` attend to keys and values of its own choice. queries [rows, d_model] or wider;
// attended [rows, d_model]. point(part, cells) says where the keys and values of parts[part] are, and for each of its
// rows where weights go, if they are asked for. It is called once for each part, on the team's threads.
struct PartCells {
  const void** keys = nullptr;     // [keys of the part], to be set: pointers to their first cells
  const void** values = nullptr;   // likewise
  float** mean_weights = nullptr;  // [rows of the part], null pointers: out, [keys], the mean of the heads' weights
  float** head_weights = nullptr;  // likewise: the weights of `some_heads` are added, each over their divisor
};
using PointAtCells = absl::FunctionRef<void(size_t part, const PartCells& cells)>;
// Heads whose weights can be asked for.
struct SomeHeads {
  absl::Span<const int32_t> heads;
  float divisor = 1;
};
void AttendToCells(ConstMatrixView queries, absl::Span<const RowsOfKeys> parts, const HeadLayout& layout,
                   CellStorage storage, MatrixView attended, PointAtCells point, Context& context,
                   const SomeHeads& some_heads = {});

}  // namespace heed
