// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/adaptive_softmax.h"

#include <algorithm>
#include <limits>

#include "engine/core/team.h"
#include "engine/kernels/log_probabilities.h"
#include "engine/kernels/logits.h"

namespace heed {
namespace {

// Logits that are held at a time, of several rows: 16 MiB.
constexpr int64_t kMaxLogits = int64_t{4} << 20;
constexpr int64_t kMaxRowsAtOnce = 96;

int64_t RowsAtOnce(int64_t columns) { return std::clamp<int64_t>(kMaxLogits / columns, 1, kMaxRowsAtOnce); }

// logits [rows, outputs] = hidden W^T + bias, with room for whole panels.
void Logits(const AdaptiveBin& bin, ConstMatrixView hidden, MatrixView logits, Context& context) {
  const int64_t panels = bin.panels.panels();
  const int64_t per_part = PanelsPerPart(hidden.rows, bin.panels.in(), panels, context.team.size());
  context.team.Run((panels + per_part - 1) / per_part, [&](int64_t part) {
    const int64_t first = part * per_part, last = std::min(first + per_part, panels);
    PackedProduct(bin.panels, hidden, first, last, bin.bias.data() + first * kPanelCols, false,
                  logits.Cols(first * kPanelCols, (last - first) * kPanelCols));
  });
}

}  // namespace

// One query on its way.
struct AdaptiveSoftmax::Row {
  const NextTokenQuery* query;
  NextTokenAnswer* answer;
  BestCandidates best;
  int64_t above = 0;          // words likelier than the target
  std::vector<bool> counted;  // bins that are done
};

// Some rows of one call of Answer.
class AdaptiveSoftmax::Step {
 public:
  Step(const AdaptiveSoftmax& softmax, ConstMatrixView hidden, std::vector<Row>& rows, Context& context)
      : bins_(softmax.bins_), hidden_(hidden), rows_(rows), context_(context) {}

  void Run() {
    const AdaptiveBin& head = bins_[0];
    head_ = TakeMatrix(context_.arena, hidden_.rows, head.panels.panels() * kPanelCols);
    Logits(head, Projected(head, hidden_), head_, context_);
    const int64_t outputs = head.panels.out();
    RunRows(context_.team, hidden_.rows, 16 * outputs, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        ShiftRow(head_.row(i), outputs, LogSumExp(head_.row(i), outputs), 0);
        TakeWords(At(i), 0, head_.row(i), false);
      }
    });
    // Those of the targets first: what is likelier than a target can be said only then.
    for (size_t bin = 1; bin < bins_.size(); ++bin) {
      RunTail(bin, [&](const Row& row, float) { return Holds(bin, row.query->target); });
    }
    for (int64_t i = 0; i < hidden_.rows; ++i) Count(At(i), head_.row(i), head.words);
    for (size_t bin = 1; bin < bins_.size(); ++bin) {
      RunTail(bin, [&](const Row& row, float cluster) { return !row.counted[bin] && Matters(row, cluster); });
    }
  }

 private:
  Row& At(int64_t i) const { return rows_[static_cast<size_t>(i)]; }
  bool Holds(size_t bin, const std::optional<int32_t>& word) const {
    return word && *word >= bins_[bin].first && *word < bins_[bin].first + bins_[bin].words;
  }
  // Whether a word of a tail whose cluster has this log-probability can change the answer.
  static bool Matters(const Row& row, float cluster) {
    const NextTokenQuery& query = *row.query;
    if (query.all != nullptr) return true;
    // Comparisons are turned round so that what is not a number matters.
    if (query.target && query.rank && !(cluster <= row.answer->log_probability)) return true;
    if (row.best.capacity == 0) return false;
    return row.best.count < row.best.capacity || !(cluster < row.best.best[row.best.capacity - 1].logit);
  }

  ConstMatrixView Projected(const AdaptiveBin& bin, ConstMatrixView hidden) const {
    if (!bin.projected) return hidden;
    const MatrixView to = TakeMatrix(context_.arena, hidden.rows, bin.projection.out());
    bin.projection.Apply(hidden, to, context_);
    return to;
  }

  static void Count(Row& row, const float* words, int64_t count) {
    if (row.query->target && row.query->rank) row.above += CountAbove(words, count, row.answer->log_probability);
  }

  // Log-probabilities of a bin's words, which may be changed: the target's, how many are above it (unless that is to be
  // counted later), the best, and a copy of all.
  void TakeWords(Row& row, size_t bin, float* words, bool count) const {
    const NextTokenQuery& query = *row.query;
    const int64_t first = bins_[bin].first;
    if (Holds(bin, query.target)) row.answer->log_probability = words[*query.target - first];
    if (count) Count(row, words, bins_[bin].words);
    row.counted[bin] = true;
    const auto begin = std::lower_bound(query.banned.begin(), query.banned.end(), first);
    const auto end = std::lower_bound(begin, query.banned.end(), first + bins_[bin].words);
    std::vector<float> kept;
    for (auto banned = begin; banned != end; ++banned) {
      kept.push_back(words[*banned - first]);
      words[*banned - first] = -std::numeric_limits<float>::infinity();
    }
    OfferLogits(words, bins_[bin].words, static_cast<int32_t>(first), row.best);
    if (query.all != nullptr) std::copy_n(words, bins_[bin].words, query.all + first);
    for (auto banned = begin; banned != end; ++banned) {
      words[*banned - first] = kept[static_cast<size_t>(banned - begin)];
    }
  }

  // The tail `bin` of the rows that `wanted` names, given their cluster's log-probability.
  void RunTail(size_t bin, absl::FunctionRef<bool(const Row&, float cluster)> wanted) {
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i < hidden_.rows; ++i) {
      if (wanted(At(i), Cluster(bin, i))) chosen.push_back(i);
    }
    const int64_t at_once = RowsAtOnce(bins_[bin].words);
    for (size_t first = 0; first < chosen.size(); first += static_cast<size_t>(at_once)) {
      const size_t count = std::min(static_cast<size_t>(at_once), chosen.size() - first);
      RunTailRows(bin, absl::MakeConstSpan(chosen).subspan(first, count));
    }
  }

  float Cluster(size_t bin, int64_t i) const { return head_.row(i)[bins_[0].words + static_cast<int64_t>(bin) - 1]; }

  void RunTailRows(size_t bin, absl::Span<const int64_t> chosen) {
    Arena::Scope scope(context_.arena);
    const AdaptiveBin& tail = bins_[bin];
    const int64_t count = static_cast<int64_t>(chosen.size());
    const MatrixView hidden = TakeMatrix(context_.arena, count, hidden_.cols);
    for (int64_t k = 0; k < count; ++k) {
      std::copy_n(hidden_.row(chosen[static_cast<size_t>(k)]), hidden_.cols, hidden.row(k));
    }
    const MatrixView logits = TakeMatrix(context_.arena, count, tail.panels.panels() * kPanelCols);
    Logits(tail, Projected(tail, hidden), logits, context_);
    RunRows(context_.team, count, 16 * tail.words, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k) {
        const int64_t i = chosen[static_cast<size_t>(k)];
        float* words = logits.row(k);
        ShiftRow(words, tail.words, LogSumExp(words, tail.words), Cluster(bin, i));
        TakeWords(At(i), bin, words, true);
      }
    });
  }

  const std::vector<AdaptiveBin>& bins_;
  const ConstMatrixView hidden_;
  std::vector<Row>& rows_;
  Context& context_;
  MatrixView head_;  // [rows, words of bin 0 and clusters]: logits, then log-probabilities
};

int64_t AdaptiveSoftmax::scratch_bytes() const {
  int64_t floats = 0;
  for (const AdaptiveBin& bin : bins_) {
    floats = std::max(floats, RowsAtOnce(bin.words) *
                                  (PaddedStride(bin.panels.panels() * kPanelCols) + 2 * PaddedStride(bin.panels.in())));
  }
  return 2 * floats * static_cast<int64_t>(sizeof(float));
}

void AdaptiveSoftmax::Answer(ConstMatrixView hidden, absl::Span<const NextTokenQuery* const> queries,
                             absl::Span<NextTokenAnswer* const> answers, Context& context) const {
  const int64_t at_once = RowsAtOnce(bins_[0].panels.out());
  for (int64_t first = 0; first < hidden.rows; first += at_once) {
    const int64_t count = std::min(at_once, hidden.rows - first);
    Arena::Scope scope(context.arena);
    std::vector<Row> rows(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      Row& row = rows[static_cast<size_t>(i)];
      row.query = queries[static_cast<size_t>(first + i)];
      row.answer = answers[static_cast<size_t>(first + i)];
      *row.answer = NextTokenAnswer();
      row.answer->best.resize(static_cast<size_t>(row.query->top));
      row.best = {row.answer->best.data(), row.query->top, 0};
      row.counted.resize(bins_.size());
    }
    Step(*this, hidden.Rows(first, count), rows, context).Run();
    for (const Row& row : rows) {
      row.answer->best.resize(static_cast<size_t>(row.best.count));
      if (row.query->target && row.query->rank) row.answer->rank = 1 + row.above;
    }
  }
}

}  // namespace heed
