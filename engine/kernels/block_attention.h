// SPDX-License-Identifier: Apache-2.0
// Attention of one head over keys in blocks of 16, for several queries of one stream at a time, whose scores have a
// term for the distance to the key (Dai et al. 2019, section 3.3).
//
// Within a block the keys are stored transposed, so that 16 of them are scored at a time. A query's bits depend only on
// that query, its keys and the instruction set: a score adds the products of a key's values in order, sums over keys
// run in the order of the keys, and a block begins at a fixed place of the stream.
#pragma once

#include <cstdint>

namespace heed {

inline constexpr int64_t kBlockKeys = 16;

// The distance between a block's values, for heads of this width.
constexpr int64_t BlockValueStride(int64_t head_dim) { return (head_dim + 15) / 16 * 16; }

// What one query sees. Keys are counted from the first block's first.
struct BlockQuery {
  int64_t first = 0, last = 0;  // keys [first, last), at least one
  // The distance's part of a score: positions[t - near] for key t, positions[0] for keys before `near`. 16 numbers
  // before positions[0] can be read and have its value, and 16 behind those of the last key can be read.
  const float* positions = nullptr;
  int64_t near = 0;
};

struct BlockAttention {
  int64_t head_dim = 0;
  int64_t rows = 0;
  const float* queries = nullptr;  // [rows, query_stride]: head_dim numbers each, scaled
  int64_t query_stride = 0;
  const BlockQuery* seen = nullptr;  // [rows]
  int64_t blocks = 0;                // the first `constant_blocks` of them hold one key 16 times, without storage
  int64_t constant_blocks = 0;
  const float* constant_scores = nullptr;  // [rows]: query . that key; null: zeros
  const float* constant_value = nullptr;   // [head_dim], its value; null: zeros
  const float* const* keys = nullptr;      // [blocks]: of the others pointers to [head_dim, 16], on cache lines
  const float* const* values = nullptr;    // [blocks]: of the others [16, BlockValueStride(head_dim)], likewise
  float* weights = nullptr;                // out: [rows, 16 blocks], before they are divided by their sum
  int64_t weights_stride = 0;
  float* factors = nullptr;  // out: [rows], 1 / the sum of a row's weights
  float* context = nullptr;  // out: [rows, context_stride], room for BlockValueStride(head_dim) in each
  int64_t context_stride = 0;
};

// weights = exp(score - the largest score),  context = sum_t weights[t] value_t / sum_t weights[t], where
// score_t = query . key_t + positions. On the calling thread.
void AttendBlocks(const BlockAttention& attention);

}  // namespace heed
