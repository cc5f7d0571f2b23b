// SPDX-License-Identifier: Apache-2.0
// The reduction of a row of logits: the best tokens, and the normalizer of their softmax.
//
// On the calling thread, in a fixed order of summation; pointers need no alignment.
#pragma once

#include <cstdint>

namespace heed {

// A token and its logit. Better: the larger logit, of equals the smaller id.
struct Candidate {
  float logit = 0;
  int32_t id = 0;
};
inline bool Better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The best candidates seen so far, best first, in `best` [capacity].
struct BestCandidates {
  Candidate* best = nullptr;
  int capacity = 0;
  int count = 0;

  void Offer(Candidate candidate);
};

// max and sum of exp(logit - max) of some logits.
struct ExpSum {
  float max = 0;
  float sum = 0;
};
// Reduces logits[0, count), of tokens first_id and up. -infinity stands for a token that cannot be.
// If all are, the sum is 0 and the max -infinity; if any is not a number, neither is the sum.
ExpSum ReduceLogits(const float* logits, int64_t count, int32_t first_id, BestCandidates& best);

}  // namespace heed
