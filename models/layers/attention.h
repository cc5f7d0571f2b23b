// SPDX-License-Identifier: Apache-2.0
// Multi-head scaled dot-product attention over packed rows (Vaswani et al. 2017, section 3.2): the rows of all
// sequences of a batch, one after the other, without padding.
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
void AttendWithinSequences(ConstMatrixView projected, absl::Span<const PackedSequence> sequences, int64_t heads,
                           MatrixView attended, Context& context);

// Each row attends to keys and values of its own choice. queries [rows, d_model] or wider; attended [rows, d_model].
// point(row, keys, values, query) writes at most `max_keys` pointers to keys and values [d_model] each, and sets
// query.keys to their number; it may set query.mean_weights. It is called for each row, on the team's threads.
using PointAtKeys =
    absl::FunctionRef<void(int64_t row, const float** keys, const float** values, AttentionQuery& query)>;
void AttendRows(ConstMatrixView queries, int64_t heads, int64_t max_keys, MatrixView attended, PointAtKeys point,
                Context& context);

}  // namespace heed
