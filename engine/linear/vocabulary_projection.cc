// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/vocabulary_projection.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/linear/linear.h"

namespace heed {
namespace {

// Logits are made and reduced in blocks of this many panels, which stay in the cache between the two. The sums of
// exponentials are kept for each block and added up in order, so that they do not depend on how blocks were shared out.
constexpr int64_t kBlockPanels = 16;
constexpr int64_t kBlockCols = kBlockPanels * kPanelCols;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

VocabularyProjection::VocabularyProjection(const StoredTensor& weight, std::vector<float> bias)
    : panels_(PackRows(weight)), bias_(std::move(bias)) {
  bias_.resize(static_cast<size_t>(panels_.panels() * kPanelCols));
}

void VocabularyProjection::Apply(ConstMatrixView hidden, absl::Span<const VocabularyQuery> queries,
                                 absl::Span<VocabularyAnswer> answers, Context& context) const {
  const int64_t rows = hidden.rows;
  if (rows == 0) return;
  Arena::Scope scope(context.arena);
  const int64_t blocks = (panels_.panels() + kBlockPanels - 1) / kBlockPanels;
  const int64_t blocks_per_part =
      (PanelsPerPart(rows, panels_.in(), panels_.panels(), context.team.size()) + kBlockPanels - 1) / kBlockPanels;
  const int64_t parts = (blocks + blocks_per_part - 1) / blocks_per_part;

  int64_t top_total = 0, banned_total = 0;
  std::vector<int64_t> top_offset(static_cast<size_t>(rows)), banned_offset(static_cast<size_t>(rows));
  for (size_t m = 0; m < queries.size(); ++m) {
    top_offset[m] = top_total;
    banned_offset[m] = banned_total;
    top_total += queries[m].top;
    banned_total += static_cast<int64_t>(queries[m].banned.size());
  }
  ExpSum* sums = context.arena.Take<ExpSum>(static_cast<size_t>(rows * blocks));
  Candidate* best = context.arena.Take<Candidate>(static_cast<size_t>(parts * top_total));
  int* best_counts = context.arena.Take<int>(static_cast<size_t>(parts * rows));
  float* banned_logits = context.arena.Take<float>(static_cast<size_t>(banned_total));
  std::vector<MatrixView> scratch;
  for (int64_t part = 0; part < parts; ++part) scratch.push_back(TakeMatrix(context.arena, rows, kBlockCols));

  context.team.Run(parts, [&](int64_t part) {
    const int64_t first_block = part * blocks_per_part;
    const int64_t last_block = std::min(first_block + blocks_per_part, blocks);
    const MatrixView logits = scratch[static_cast<size_t>(part)];
    for (int64_t m = 0; m < rows; ++m) best_counts[part * rows + m] = 0;
    for (int64_t block = first_block; block < last_block; ++block) {
      const int64_t first_panel = block * kBlockPanels;
      const int64_t last_panel = std::min(first_panel + kBlockPanels, panels_.panels());
      const int64_t first_token = first_panel * kPanelCols;
      const int64_t tokens = std::min(last_panel * kPanelCols, vocabulary()) - first_token;
      PackedProduct(panels_, hidden, first_panel, last_panel, bias_.data() + first_token, false, logits);
      for (int64_t m = 0; m < rows; ++m) {
        const VocabularyQuery& query = queries[static_cast<size_t>(m)];
        float* row = logits.row(m);
        auto banned = std::lower_bound(query.banned.begin(), query.banned.end(), first_token);
        for (; banned != query.banned.end() && *banned < first_token + tokens; ++banned) {
          float& logit = row[*banned - first_token];
          banned_logits[banned_offset[static_cast<size_t>(m)] + (banned - query.banned.begin())] = logit;
          logit = -kInfinity;
        }
        if (query.all_logits != nullptr) std::copy(row, row + tokens, query.all_logits + first_token);
        BestCandidates kept = {best + part * top_total + top_offset[static_cast<size_t>(m)], query.top,
                               best_counts[part * rows + m]};
        sums[m * blocks + block] = ReduceLogits(row, tokens, static_cast<int32_t>(first_token), kept);
        best_counts[part * rows + m] = kept.count;
      }
    }
  });

  for (int64_t m = 0; m < rows; ++m) {
    const VocabularyQuery& query = queries[static_cast<size_t>(m)];
    VocabularyAnswer& answer = answers[static_cast<size_t>(m)];
    answer.best.resize(static_cast<size_t>(query.top));
    BestCandidates merged = {answer.best.data(), query.top, 0};
    for (int64_t part = 0; part < parts; ++part) {
      const Candidate* from = best + part * top_total + top_offset[static_cast<size_t>(m)];
      for (int i = 0; i < best_counts[part * rows + m]; ++i) merged.Offer(from[i]);
    }
    answer.best.resize(static_cast<size_t>(merged.count));

    float max = -kInfinity;
    for (int64_t block = 0; block < blocks; ++block) max = std::max(max, sums[m * blocks + block].max);
    const float* banned = banned_logits + banned_offset[static_cast<size_t>(m)];
    const size_t banned_count = query.normalize_over_banned ? query.banned.size() : 0;
    for (size_t i = 0; i < banned_count; ++i) max = std::max(max, banned[i]);
    double sum = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      const ExpSum& part = sums[m * blocks + block];
      if (part.sum != 0) sum += static_cast<double>(part.sum) * std::exp(static_cast<double>(part.max - max));
    }
    for (size_t i = 0; i < banned_count; ++i) sum += std::exp(static_cast<double>(banned[i] - max));
    answer.log_normalizer = max + static_cast<float>(std::log(sum));
  }
}

}  // namespace heed
