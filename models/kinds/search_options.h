// SPDX-License-Identifier: Apache-2.0
// How a sequence of tokens is searched for: greedy, by beam search, or by sampling.
#pragma once

#include <cstdint>

namespace heed {

inline constexpr int kMaxBeamSize = 32;
inline constexpr double kMaxLengthPenalty = 10;  // and -10 the least

enum class EarlyStopping {
  kHeuristic,  // when no running hypothesis scores better at its present length (transformers: False)
  kFirst,      // as soon as beam_size hypotheses are complete (transformers: True)
  kNever,      // when no running hypothesis can score better at any length (transformers: "never")
};

// Draw at random instead of searching.
struct Sampling {
  float temperature = 1;  // > 0
  int top_k = 0;          // draw among the k likeliest; 0: among all
  float top_p = 1;        // draw among the likeliest that make up this much probability, in (0, 1]
  uint64_t seed = 0;      // same seed, same answer

  bool operator==(const Sampling&) const = default;
};

// Ordered from best to worst, so that a text's reason is the largest of its sentences'.
enum class FinishReason {
  kEos = 1,     // the model ended it
  kLength = 2,  // max_tokens
  kLoop = 3,    // it repeated itself, and was cut before the repetition
};

struct SearchOptions {
  int beam_size = 1;  // 1: greedy; to kMaxBeamSize
  float length_penalty = 1;
  EarlyStopping early_stopping = EarlyStopping::kHeuristic;
  int no_repeat_ngram = 0;       // 0: off
  float repetition_penalty = 1;  // scores of tokens that were there are divided (if positive) or multiplied by it
  int min_tokens = 0;
  int max_tokens = 0;   // end-of-sequence included. 0: the model's default
  int n_best = 1;       // 1 to beam_size
  bool sample = false;  // draw as `sampling` says; beam_size is 1
  Sampling sampling;
  bool stop_loops = true;
  bool scores = true;  // hypotheses carry scores; without, the probabilities that nothing else needs are not computed

  bool operator==(const SearchOptions&) const = default;
};

}  // namespace heed
