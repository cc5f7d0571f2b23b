// SPDX-License-Identifier: Apache-2.0
// One layer's attention of many streams at once over their kept keys and values (Dai et al. 2019, section 3.3):
//   score(i, j) = ((q_i + u) . k_j + (q_i + v) . R(i - j)) / sqrt(head_dim)
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "models/transformer_xl/relative_positions.h"
#include "models/transformer_xl/transformer_xl_memory.h"

namespace heed {

// One stream's rows of a step: `count` rows from row `first` on, at the positions from `position` on.
struct StreamRows {
  TransformerXlMemory* memory = nullptr;
  int64_t first = 0;
  int64_t count = 0;
  int64_t position = 0;
};

// What a layer's attention has of its own. Constant.
struct RelativeAttentionWeights {
  int64_t layer = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  std::vector<float> content_bias;   // u [heads * head_dim]
  std::vector<float> position_bias;  // v [heads * head_dim]
  // Key and value of a row of zeros, where they are not zeros themselves: [heads * head_dim] or empty.
  std::vector<float> zero_key, zero_value;
};

// Puts keys and values of projected [rows, 3 width], queries, keys and values side by side, into their streams'
// memories, which have room for them.
void KeepKeysAndValues(const RelativeAttentionWeights& weights, ConstMatrixView projected,
                       absl::Span<const StreamRows> streams, Context& context);

// attended [rows, width]: each row's sum of values over the positions that it sees. projected [rows, width] or wider:
// the queries. A row's bits do not depend on the rows beside it, nor on how its stream is cut into steps.
void AttendRelatively(const RelativeAttentionWeights& weights, const PositionTable& positions,
                      ConstMatrixView projected, absl::Span<const StreamRows> streams, MatrixView attended,
                      Context& context);

// The mean of the heads' weights of the token at `position`, whose query is `query` [width]: first those of the rows of
// zeros together, then those of the positions from max(0, memory.FirstSeen(position)) to `position`.
std::vector<float> MeanAttention(const RelativeAttentionWeights& weights, const PositionTable& positions,
                                 const float* query, TransformerXlMemory& memory, int64_t position);

}  // namespace heed
