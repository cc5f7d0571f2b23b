// SPDX-License-Identifier: Apache-2.0
// Adaptive word embeddings (Baevski and Auli 2019): each bin of the vocabulary has embeddings of a width of its own,
// projected to d_model.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "engine/linear/packed_product.h"

namespace heed {

// Immutable, thread-safe.
class AdaptiveEmbedding {
 public:
  struct Bin {
    int64_t first = 0;                    // its first word
    const PackedPanels* table = nullptr;  // row i: the embedding of word first + i; may be an output layer's
    const Linear* projection = nullptr;   // to d_model; null: its embeddings are as wide as that
  };

  AdaptiveEmbedding() = default;
  // Bins in the order of their words. What they point to outlives this.
  AdaptiveEmbedding(std::vector<Bin> bins, float scale) : bins_(std::move(bins)), scale_(scale) {}

  // x [tokens, d_model], with room for PaddedStride(d_model): projection(embedding) * scale.
  void Embed(absl::Span<const int32_t> tokens, MatrixView x, Context& context) const;

 private:
  void EmbedBin(const Bin& bin, absl::Span<const int64_t> rows, absl::Span<const int32_t> tokens, MatrixView x,
                Context& context) const;

  std::vector<Bin> bins_;
  float scale_ = 1;
};

}  // namespace heed
