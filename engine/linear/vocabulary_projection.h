// SPDX-License-Identifier: Apache-2.0
// The output layer over a vocabulary, fused with its reduction: the best tokens of each row and the normalizer of its
// softmax, without ever writing out [rows, vocabulary] logits.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/kernels/logits.h"
#include "engine/linear/packed_product.h"
#include "files/safetensors.h"

namespace heed {

// What one row asks for.
struct VocabularyQuery {
  absl::Span<const int32_t> banned;    // tokens that cannot be, ascending
  int top = 1;                         // how many of the best tokens, at least 1
  bool normalize_over_banned = false;  // whether the softmax counts the banned tokens too
  float* all_logits = nullptr;         // out, if not null: [vocabulary], banned ones -infinity
  int32_t target = -1;                 // a token whose logit is wanted, and how many are likelier; negative: none
};

// What it gets. log p(token) = logit - log_normalizer.
struct VocabularyAnswer {
  std::vector<Candidate> best;  // best first; fewer than `top` if fewer can be
  float log_normalizer = 0;
  float target_logit = 0;            // also of a banned target
  int64_t likelier_than_target = 0;  // tokens, banned ones left out, of a larger logit
};

// Immutable once made; thread-safe.
class VocabularyProjection {
 public:
  VocabularyProjection() = default;
  // weight [vocabulary, d_model]; bias [vocabulary], or empty for zeros.
  VocabularyProjection(const StoredTensor& weight, std::vector<float> bias);

  int64_t vocabulary() const { return panels_.out(); }
  int64_t resident_bytes() const { return panels_.bytes() + static_cast<int64_t>(bias_.size() * sizeof(float)); }
  // The weights: an embedding table that is tied to this layer reads its rows from here.
  const PackedPanels& panels() const { return panels_; }

  // hidden [rows, d_model]; one query and one answer a row. An answer's bits depend on its row and query alone.
  void Apply(ConstMatrixView hidden, absl::Span<const VocabularyQuery> queries, absl::Span<VocabularyAnswer> answers,
             Context& context) const;

 private:
  class Product;

  PackedPanels panels_;
  std::vector<float> bias_;  // padded to whole panels
};

}  // namespace heed
