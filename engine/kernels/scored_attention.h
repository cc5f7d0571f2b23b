// SPDX-License-Identifier: Apache-2.0
// Attention of one query over keys and values in rows of their own, by the scores of recurrent translators.
//
// Sums run in a fixed order, so that a query's bits depend on that query, its keys and the instruction set alone. All
// on the calling thread; pointers need no alignment.
#pragma once

#include <cstdint>

namespace heed {

// Attention of one query over `keys` positions, whose values have a width of their own:
//   weights = softmax_t(score_t),  context = sum_t weights[t] v_t
// score_t is q . k_t (Luong et al. 2015), or with `energy` energy . tanh(q + k_t) (Bahdanau et al. 2015).
struct ScoredQuery {
  const float* query = nullptr;   // [key_width]
  const float* energy = nullptr;  // [key_width], or null
  int64_t key_width = 0;
  int64_t value_width = 0;
  int64_t keys = 0;                          // at least 1
  const float* const* key_rows = nullptr;    // [keys] pointers to [key_width]
  const float* const* value_rows = nullptr;  // [keys] pointers to [value_width]
  float* weights = nullptr;                  // out: [keys], with room for ScoredWeights(keys)
  float* context = nullptr;                  // out: [value_width]
};
inline int64_t ScoredWeights(int64_t keys) { return keys + 64; }
void AttendByScore(const ScoredQuery& attention);

}  // namespace heed
