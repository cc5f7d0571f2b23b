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
// attended [rows, d_model]. point(part, keys, values, mean_weights) writes pointers to the cells of parts[part].keys
// keys and values, and for each of its rows where its mean weights go, if they are asked for: it finds null pointers.
// It is called once for each part, on the team's threads.
using PointAtCells = absl::FunctionRef<void(size_t part, const void** keys, const void** values, float** mean_weights)>;
void AttendToCells(ConstMatrixView queries, absl::Span<const RowsOfKeys> parts, const HeadLayout& layout,
                   CellStorage storage, MatrixView attended, PointAtCells point, Context& context);

}  // namespace heed
