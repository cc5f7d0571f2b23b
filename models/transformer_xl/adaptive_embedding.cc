// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/adaptive_embedding.h"

#include <algorithm>

#include "engine/core/team.h"

namespace heed {

void AdaptiveEmbedding::Embed(absl::Span<const int32_t> tokens, MatrixView x, Context& context) const {
  std::vector<std::vector<int64_t>> rows(bins_.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    size_t bin = bins_.size() - 1;
    while (tokens[i] < bins_[bin].first) --bin;
    rows[bin].push_back(static_cast<int64_t>(i));
  }
  for (size_t bin = 0; bin < bins_.size(); ++bin) EmbedBin(bins_[bin], rows[bin], tokens, x, context);
}

void AdaptiveEmbedding::EmbedBin(const Bin& bin, absl::Span<const int64_t> rows, absl::Span<const int32_t> tokens,
                                 MatrixView x, Context& context) const {
  if (rows.empty()) return;
  Arena::Scope scope(context.arena);
  const int64_t count = static_cast<int64_t>(rows.size());
  const MatrixView embeddings = TakeMatrix(context.arena, count, bin.table->in());
  RunRows(context.team, count, 16 * bin.table->in(), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      bin.table->CopyRow(tokens[static_cast<size_t>(rows[static_cast<size_t>(i)])] - bin.first, embeddings.row(i));
    }
  });
  MatrixView projected = embeddings;
  if (bin.projection != nullptr) {
    projected = TakeMatrix(context.arena, count, bin.projection->out());
    bin.projection->Apply(embeddings, projected, context);
  }
  for (int64_t i = 0; i < count; ++i) {
    float* to = x.row(rows[static_cast<size_t>(i)]);
    for (int64_t k = 0; k < x.cols; ++k) to[k] = projected.row(i)[k] * scale_;
  }
}

}  // namespace heed
