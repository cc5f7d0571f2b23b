// SPDX-License-Identifier: Apache-2.0
// Attention of one query whose scores have a term for the distance to the key and a term for whether the key is of the
// query's own segment (Dai et al. 2019, section 3.3; Yang et al. 2019, sections 2.4 and 2.5).
#pragma once

#include <cstdint>

namespace heed {

// For each head h, over its own slice of the rows:
//   score_t = (content . k_t + position . r_t + segments[s_t]) / sqrt(head_dim)
//   context = sum_t softmax(score)_t v_t
// A query's bits depend on that query, its keys in their order and the instruction set alone.
struct RelativeQuery {
  const float* content = nullptr;   // [heads * head_dim]: the query and the bias that meets keys
  const float* position = nullptr;  // [heads * head_dim]: the query and the bias that meets distances
  const float* segments = nullptr;  // [heads, 2]: what a key of the query's own segment adds, and one of another; null:
                                    // nothing
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t keys = 0;                             // at least 1
  const float* const* key_rows = nullptr;       // [keys] pointers to [heads * head_dim]
  const float* const* value_rows = nullptr;     // likewise
  const float* const* position_rows = nullptr;  // likewise: R(distance)
  const uint8_t* other_segment = nullptr;       // [keys]: 1 if the key is of another segment; only with `segments`
  float* scratch = nullptr;                     // [RelativeScratch(keys)]
  float* context = nullptr;                     // out: [heads * head_dim]
  float* mean_weights = nullptr;                // out, if not null: [keys], the mean of the heads' weights
};
inline int64_t RelativeScratch(int64_t keys) { return keys + 64; }

// On the calling thread; pointers need no alignment. Queries that are given together have as many heads, of the same
// width, and pass the same keys while these are in the cache.
void AttendRelative(const RelativeQuery* queries, int64_t count);

}  // namespace heed
