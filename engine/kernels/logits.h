// SPDX-License-Identifier: Apache-2.0
// The reduction of a row of logits: the best tokens, and the normalizer of their softmax.
//
// A row may be reduced piece by piece. All on the calling thread; pointers need no alignment. Sums have 16 partial sums
// and one order whatever the width of a vector, so that with fused multiply-adds their bits are the same on every
// instruction set.
#pragma once

#include <cstdint>
#include <limits>

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
  // No candidate with a smaller logit is one of the best.
  float floor() const { return count < capacity ? -std::numeric_limits<float>::infinity() : best[capacity - 1].logit; }
};

// max and sum of exp(logit - max) of some logits.
struct ExpSum {
  float max = 0;
  float sum = 0;
};

// Offers logits[0, count) as those of tokens first_id and up, and returns their sum. -infinity stands for a token that
// cannot be: it is no candidate, and adds nothing. If all are, the sum is 0 and the max -infinity. If one is not a
// number, or is +infinity, neither is a number.
// floor: tokens with a smaller logit are known not to be among the best.
ExpSum ReduceLogits(const float* logits, int64_t count, int32_t first_id, float floor, BestCandidates& best);
// The same without the sum, which is 0 or not a number.
ExpSum OfferLogits(const float* logits, int64_t count, int32_t first_id, float floor, BestCandidates& best);
inline ExpSum OfferLogits(const float* logits, int64_t count, int32_t first_id, BestCandidates& best) {
  return OfferLogits(logits, count, first_id, -std::numeric_limits<float>::infinity(), best);
}

// The sum of all that `sums` stand for.
ExpSum SumOfSums(const ExpSum* sums, int64_t count);

}  // namespace heed
