// SPDX-License-Identifier: Apache-2.0
// The output layer over a vocabulary, fused with its reduction: the best tokens of each row and the normalizer of its
// softmax, without ever writing out [rows, vocabulary] logits.
//
// In a reduced precision the whole vocabulary is only screened: of each row, the best `top` + kScreened tokens get
// their logits in f32 from the weights as they are, and these take the place of the screened ones, in the normalizer,
// too. So the answer's logits are exact, and a token is missed only if kScreened others are wrongly before it.
//
// In f32 rows that ask for the best token alone, without the normalizer, are screened in 8 bits, too, where the machine
// has a kernel for that (AVX-512 VNNI). Here nothing is missed: what a screened logit can be off by is known, and all
// tokens that could be the best get the logits that they always get in f32; if these are too many, all do. So the
// answer is the same to the bit. Where they are too many too often, nothing is screened for a while. It takes a byte of
// memory for each weight.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/kernels/logits.h"
#include "engine/linear/bf16_panels.h"
#include "engine/linear/embedding_table.h"
#include "engine/linear/packed_product.h"
#include "engine/linear/precision.h"
#include "engine/linear/quantized_panels.h"
#include "files/safetensors.h"

namespace heed {

// What one row asks for.
struct VocabularyQuery {
  absl::Span<const int32_t> banned;    // tokens that cannot be, ascending
  int top = 1;                         // how many of the best tokens, at least 1
  bool normalizer = true;              // whether log_normalizer is wanted: most of the work that is not the product
  bool normalize_over_banned = false;  // whether the softmax counts the banned tokens too
  float* all_logits = nullptr;         // out, if not null: [vocabulary], banned ones -infinity
  int32_t target = -1;                 // a token whose logit is wanted, and how many are likelier; negative: none
  absl::Span<const int32_t> wanted;    // tokens whose logits are wanted, and no more of them
};

// What it gets. log p(token) = logit - log_normalizer.
struct VocabularyAnswer {
  std::vector<Candidate> best;  // best first; fewer than `top` if fewer can be
  // Not a number if a logit is not one (or is +infinity), also of a query without: then else 0.
  float log_normalizer = 0;
  float target_logit = 0;  // also of a banned target
  // Tokens, banned ones left out, of a larger logit; in a reduced precision by screened logits, but for the best ones.
  int64_t likelier_than_target = 0;
  std::vector<float> wanted_logits;  // of query.wanted, also of banned ones; exact as those of `best`
};

// Immutable once made; thread-safe.
class VocabularyProjection : public EmbeddingTable {
 public:
  static constexpr int kScreened = 16;

  VocabularyProjection() = default;
  // weight [vocabulary, d_model]; bias [vocabulary], or empty for zeros. `precision`, as PrecisionHere gives it.
  VocabularyProjection(const StoredTensor& weight, std::vector<float> bias, Precision precision = Precision::kF32);

  int64_t vocabulary() const { return vocabulary_; }
  int64_t resident_bytes() const;
  // Of what screens in a reduced precision: as Linear::relative_error. In f32 nothing is lost: 0.
  double relative_error() const {
    return screens() ? std::max(quantized_.relative_error(), bf16_.relative_error()) : 0.0;
  }
  // The weights of a token, [d_model]: an embedding table that is tied to this layer.
  void CopyRow(int64_t token, float* to) const override;

  // hidden [rows, d_model]; one query and one answer a row. An answer's bits depend on its row and query alone.
  void Apply(ConstMatrixView hidden, absl::Span<const VocabularyQuery> queries, absl::Span<VocabularyAnswer> answers,
             Context& context) const;

 private:
  class Product;

  bool screens() const { return precision_ != Precision::kF32; }
  bool MayScreenInF32(const VocabularyQuery& query) const;
  void CountScreening(bool missed) const;
  int64_t panels() const { return (vocabulary_ + kPanelCols - 1) / kPanelCols; }

  int64_t vocabulary_ = 0, d_model_ = 0;
  Precision precision_ = Precision::kF32;
  PackedPanels panels_;        // kF32
  QuantizedPanels quantized_;  // kInt8, and of kF32 for what is screened
  Bf16Panels bf16_;            // kBf16
  RowTable rows_;              // the weights as they are, beside those that screen
  std::vector<float> bias_;    // padded to whole panels
  // How often screening in f32 was in vain lately, weighed. Thread-safe.
  std::unique_ptr<std::atomic<int>> misses_ = std::make_unique<std::atomic<int>>(0);
};

}  // namespace heed
