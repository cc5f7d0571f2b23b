// SPDX-License-Identifier: Apache-2.0
// The adaptive softmax (Grave et al. 2017) with a projection for each bin: a head over the words of bin 0 and one
// cluster for each further bin, and tails over the words of the other bins:
//   log p(word of bin 0) = log_softmax(head)[word]
//   log p(word of bin i) = log_softmax(head)[words of bin 0 + i - 1] + log_softmax(tail i)[word]
//
// A tail's words are at most as likely as its cluster, also in floats: x - LogSumExp(x) is at most 0 as rounded, and
// adding a number that is at most 0 never rounds upwards past the other term. So a tail is computed only where one of
// its words can matter: it has the target, or its cluster is likelier than the target (its rank) or as likely as the
// last of the best (the best tokens), or all are asked for.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "engine/linear/packed_product.h"
#include "models/language/causal_network.h"

namespace heed {

// One bin of the vocabulary. Constant.
struct AdaptiveBin {
  int64_t first = 0;  // its first word
  int64_t words = 0;
  PackedPanels panels;      // [words, width]; of bin 0 the clusters' rows follow
  std::vector<float> bias;  // of the panels' rows, padded to whole panels
  bool projected = false;
  Linear projection;  // d_model to width
};

// Immutable, thread-safe.
class AdaptiveSoftmax {
 public:
  AdaptiveSoftmax() = default;
  // Bins in the order of their words, at least one.
  explicit AdaptiveSoftmax(std::vector<AdaptiveBin> bins) : bins_(std::move(bins)) {}

  const std::vector<AdaptiveBin>& bins() const { return bins_; }
  // Multiply-adds of a row's head.
  int64_t head_multiply_adds() const { return bins_[0].panels.in() * bins_[0].panels.out(); }
  // What Answer takes of the arena at most, beside the hidden states.
  int64_t scratch_bytes() const;

  // hidden [rows, d_model]; one query and one answer a row. `after` and `attention` of the queries are not looked at.
  // An answer's bits depend on its row and query alone.
  void Answer(ConstMatrixView hidden, absl::Span<const NextTokenQuery* const> queries,
              absl::Span<NextTokenAnswer* const> answers, Context& context) const;

 private:
  struct Row;
  class Step;

  std::vector<AdaptiveBin> bins_;
};

}  // namespace heed
