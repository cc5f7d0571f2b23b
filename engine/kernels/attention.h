// SPDX-License-Identifier: Apache-2.0
// Multi-head scaled dot-product attention (Vaswani et al. 2017, eq. 1), for one query or for several that see the same
// keys: all hypotheses of a sentence, or the tokens of an encoder.
//
// A query's bits depend on that query and its keys in their order: not on the queries beside it, and not on whether the
// machine has AVX2 or AVX-512. A score is a sum over 16 lanes, whose folding has one order; sums over keys run in the
// order of the keys.
#pragma once

#include <cstdint>

#include "engine/kernels/head_layout.h"

namespace heed {

// Writes a row of keys or of values, whose heads lie side by side, into the cells of a position. `cells` is on a
// multiple of 16 values.
void StoreCells(const HeadLayout& layout, CellStorage storage, const float* row, void* cells);

//   weights_h = softmax_t(q_h . k_t,h / sqrt(head_dim)),  context_h = sum_t weights_h[t] v_t,h
struct HeadAttention {
  HeadLayout layout;
  CellStorage storage = CellStorage::kF32;
  int64_t queries = 0;           // at least 1
  const float* query = nullptr;  // [queries, query_stride]: rows whose heads lie side by side
  int64_t query_stride = 0;
  int64_t keys = 0;                          // at least 1
  const void* const* key_cells = nullptr;    // [keys] pointers to a key's first cell
  const void* const* value_cells = nullptr;  // likewise
  float* scratch = nullptr;                  // [AttentionScratch(layout, queries, keys)], on a cache line
  float* context = nullptr;                  // out: [queries, context_stride], like the queries
  int64_t context_stride = 0;
  float* const* mean_weights = nullptr;  // [queries], or null: out, if not null, [keys], the mean of the heads' weights
  // Some heads, and for each query a row [keys], if not null, to which the weights of each are added, over
  // head_divisor.
  const int32_t* heads = nullptr;
  int64_t head_count = 0;
  float head_divisor = 1;
  float* const* head_weights = nullptr;  // [queries], or null
};
int64_t AttentionScratch(const HeadLayout& layout, int64_t queries, int64_t keys);

// On the calling thread.
void Attend(const HeadAttention& attention);

}  // namespace heed
