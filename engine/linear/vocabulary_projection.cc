// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/vocabulary_projection.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "engine/core/team.h"
#include "engine/kernels/log_probabilities.h"
#include "engine/linear/bf16_product.h"
#include "engine/linear/linear.h"
#include "engine/linear/quantized_product.h"
#include "files/tensor_values.h"

namespace heed {
namespace {

// Logits are made and reduced in blocks of this many panels, which stay in the cache between the two. The sums of
// exponentials are kept for each block and added up in order, so that they do not depend on how blocks were shared out.
constexpr int64_t kBlockPanels = 24;
constexpr int64_t kBlockCols = kBlockPanels * kPanelCols;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// How many multiply-adds of this precision take the time of one in f32.
int64_t SpeedOf(Precision precision) {
  return precision == Precision::kInt8 ? kInt8Speed : precision == Precision::kBf16 ? kBf16Speed : 1;
}

// A row that was screened in vain costs about what two others save. If too many were, so that this is no gain, the next
// kPause rows are not screened.
constexpr int kTooManyMisses = 64, kPause = 1024;

}  // namespace

VocabularyProjection::VocabularyProjection(const StoredTensor& weight, std::vector<float> bias, Precision precision)
    : vocabulary_(weight.shape[0]), d_model_(weight.shape[1]), precision_(precision), bias_(std::move(bias)) {
  bias_.resize(static_cast<size_t>(panels() * kPanelCols));
  const std::vector<float> values = ReadFloats(weight);
  const bool fast_int8 = UsedInstructionSet() >= InstructionSet::kAvx512Vnni && d_model_ <= QuantizedPanels::kMaxInputs;
  if (precision_ == Precision::kInt8 && d_model_ > QuantizedPanels::kMaxInputs) precision_ = Precision::kF32;
  if (precision_ == Precision::kInt8 || (precision_ == Precision::kF32 && fast_int8)) {
    quantized_ = QuantizedPanels(vocabulary_, d_model_, values.data());
  }
  if (precision_ == Precision::kBf16) bf16_ = Bf16Panels(vocabulary_, d_model_, values.data());
  if (screens()) {
    rows_ = RowTable(weight);
  } else {
    panels_ = PackRows(weight);
  }
}

int64_t VocabularyProjection::resident_bytes() const {
  return panels_.bytes() + quantized_.bytes() + bf16_.bytes() + rows_.bytes() +
         static_cast<int64_t>(bias_.size() * sizeof(float));
}

bool VocabularyProjection::MayScreenInF32(const VocabularyQuery& query) const {
  return precision_ == Precision::kF32 && quantized_.out() > 0 && query.top == 1 && !query.normalizer &&
         query.all_logits == nullptr && query.target < 0 && query.wanted.empty();
}

void VocabularyProjection::CountScreening(bool missed) const {
  // Of two threads that count at once one may be lost: nothing but time depends on it.
  int misses = std::max(0, misses_->load(std::memory_order_relaxed) + (missed ? 2 : -1));
  if (missed && misses >= kTooManyMisses) misses = kTooManyMisses + kPause;
  misses_->store(misses, std::memory_order_relaxed);
}

void VocabularyProjection::CopyRow(int64_t token, float* to) const {
  if (screens()) {
    rows_.CopyRow(token, to);
  } else {
    panels_.CopyRow(token, to);
  }
}

// One call of Apply(): its shares of the vocabulary, and what each leaves behind for the answers.
class VocabularyProjection::Product {
 public:
  Product(const VocabularyProjection& projection, ConstMatrixView hidden, absl::Span<const VocabularyQuery> queries,
          Context& context)
      : layer_(projection),
        bias_(projection.bias_.data()),
        vocabulary_(projection.vocabulary()),
        hidden_(hidden),
        screens_in_f32_(WorthScreening(projection, queries)),
        stretches_(StretchesOf(projection, screens_in_f32_)),
        quantized_(NeedsInt8(stretches_) ? Quantized(hidden, context) : QuantizedRows()),
        narrow_(projection.precision_ == Precision::kBf16 ? InBf16(hidden, context) : Bf16Rows()),
        queries_(queries),
        blocks_((layer_.panels() + kBlockPanels - 1) / kBlockPanels),
        blocks_per_part_(
            (PanelsPerPart(rows(), layer_.d_model_, layer_.panels(), context.team.size(), SpeedOf(layer_.precision_)) +
             kBlockPanels - 1) /
            kBlockPanels),
        parts_((blocks_ + blocks_per_part_ - 1) / blocks_per_part_),
        top_offset_(queries.size()),
        sums_offset_(queries.size()) {
    int64_t sums = 0;
    for (size_t m = 0; m < queries.size(); ++m) {
      top_offset_[m] = top_total_;
      sums_offset_[m] = sums;
      top_total_ += Kept(static_cast<int64_t>(m));
      sums += blocks_ + static_cast<int64_t>(queries[m].banned.size());
    }
    target_logits_ = context.arena.Take<float>(queries.size());
    likelier_ = context.arena.Take<int64_t>(static_cast<size_t>(parts_ * rows()));
    for (size_t m = 0; m < queries.size(); ++m) {
      if (queries[m].target >= 0) target_logits_[m] = LogitOf(static_cast<int64_t>(m), queries[m].target);
    }
    sums_ = context.arena.Take<ExpSum>(static_cast<size_t>(sums));
    floors_ = context.arena.Take<float>(queries.size());
    std::fill(floors_, floors_ + queries.size(), -kInfinity);
    best_ = context.arena.Take<Candidate>(static_cast<size_t>(parts_ * top_total_));
    best_counts_ = context.arena.Take<int>(static_cast<size_t>(parts_ * rows()));
    for (int64_t part = 0; part < parts_; ++part) {
      scratch_.push_back(TakeMatrix(context.arena, rows(), kBlockCols));
    }
  }

  int64_t parts() const { return parts_; }

  // Makes and reduces the logits of one part. Parts may run at the same time.
  void RunPart(int64_t part) {
    const MatrixView logits = scratch_[static_cast<size_t>(part)];
    const int64_t last_block = std::min((part + 1) * blocks_per_part_, blocks_);
    for (int64_t m = 0; m < rows(); ++m) best_counts_[part * rows() + m] = 0;
    for (int64_t m = 0; m < rows(); ++m) likelier_[part * rows() + m] = 0;
    for (int64_t block = part * blocks_per_part_; block < last_block; ++block) {
      const int64_t first_panel = block * kBlockPanels;
      const int64_t last_panel = std::min(first_panel + kBlockPanels, layer_.panels());
      const int64_t first_token = first_panel * kPanelCols;
      const int64_t tokens = std::min(last_panel * kPanelCols, vocabulary_) - first_token;
      for (const Stretch& stretch : stretches_) {
        MakeLogits(stretch, first_panel, last_panel, logits.Rows(stretch.first, stretch.count));
      }
      for (int64_t m = 0; m < rows(); ++m) ReduceRow(part, block, m, logits.row(m), first_token, tokens);
    }
  }

  // Of FinishRow, as RunRows counts it.
  int64_t FinishingWork() const {
    const int64_t of_best = layer_.screens() ? 1 : NeedsInt8(stretches_) ? kPanelCols : 0;
    return 16 * blocks_ + of_best * kScreened * layer_.d_model_;
  }
  // After all parts. Rows may be finished at the same time.
  void FinishRow(int64_t m, VocabularyAnswer& answer) const {
    const VocabularyQuery& query = queries_[static_cast<size_t>(m)];
    answer.best.resize(static_cast<size_t>(Kept(m)));
    BestCandidates merged = {answer.best.data(), Kept(m), 0};
    for (int64_t part = 0; part < parts_; ++part) {
      const Candidate* from = Best(part, m);
      for (int i = 0; i < best_counts_[part * rows() + m]; ++i) merged.Offer(from[i]);
    }
    answer.best.resize(static_cast<size_t>(merged.count));
    answer.likelier_than_target = 0;
    if (screens_in_f32_[static_cast<size_t>(m)]) {
      answer.log_normalizer = LogNormalizer(m, {});
      FindExactBest(m, query, answer);
      return;
    }
    answer.wanted_logits.clear();
    for (const int32_t id : query.wanted) answer.wanted_logits.push_back(ExactLogitOf(m, id));
    std::vector<Rescored> rescored;
    if (layer_.screens()) rescored = Rescore(m, answer.best);
    answer.log_normalizer = LogNormalizer(m, rescored);
    if (layer_.screens()) TakeExact(query, rescored, answer);
    if (query.target < 0) return;
    answer.target_logit = layer_.screens() ? rescored.back().exact : target_logits_[m];
    for (int64_t part = 0; part < parts_; ++part) answer.likelier_than_target += likelier_[part * rows() + m];
    // Of the best tokens the exact logits decide.
    for (const Rescored& one : rescored) {
      if (one.id == query.target) continue;
      answer.likelier_than_target += (one.exact > answer.target_logit) - (one.screened > target_logits_[m]);
    }
  }

 private:
  int64_t rows() const { return hidden_.rows; }
  Candidate* Best(int64_t part, int64_t m) const {
    return best_ + part * top_total_ + top_offset_[static_cast<size_t>(m)];
  }

  ExpSum* Sums(int64_t m) const { return sums_ + sums_offset_[static_cast<size_t>(m)]; }

  // The same bits as in its block: a product's do not depend on the rows and panels beside it.
  float LogitOf(int64_t m, int32_t token) const {
    const int64_t panel = token / kPanelCols;
    float logits[kPanelCols];
    MakeLogits({m, 1, layer_.precision_}, panel, panel + 1, {logits, 1, kPanelCols, kPanelCols});
    return logits[token % kPanelCols];
  }

  // In f32 in every precision, and the same bits as among the best tokens.
  float ExactLogitOf(int64_t m, int32_t id) const {
    return layer_.screens() ? layer_.rows_.Dot(id, hidden_.row(m)) + bias_[id] : LogitOf(m, id);
  }

  // Rows [first, first + count), whose logits are made in `precision`.
  struct Stretch {
    int64_t first, count;
    Precision precision;
  };
  // Of each row whether it is screened in f32.
  static std::vector<char> WorthScreening(const VocabularyProjection& layer,
                                          absl::Span<const VocabularyQuery> queries) {
    std::vector<char> worth(queries.size());
    for (size_t m = 0; m < queries.size(); ++m) {
      if (!layer.MayScreenInF32(queries[m])) continue;
      worth[m] = layer.misses_->load(std::memory_order_relaxed) < kTooManyMisses;
      if (!worth[m]) layer.CountScreening(false);
    }
    return worth;
  }
  static std::vector<Stretch> StretchesOf(const VocabularyProjection& layer, absl::Span<const char> screens_in_f32) {
    std::vector<Stretch> stretches;
    for (size_t m = 0; m < screens_in_f32.size(); ++m) {
      const Precision precision = screens_in_f32[m] ? Precision::kInt8 : layer.precision_;
      if (stretches.empty() || stretches.back().precision != precision) {
        stretches.push_back({static_cast<int64_t>(m), 0, precision});
      }
      ++stretches.back().count;
    }
    return stretches;
  }
  static bool NeedsInt8(absl::Span<const Stretch> stretches) {
    return std::any_of(stretches.begin(), stretches.end(),
                       [](const Stretch& stretch) { return stretch.precision == Precision::kInt8; });
  }

  // Of the stretch's rows and the panels [first_panel, last_panel).
  void MakeLogits(const Stretch& stretch, int64_t first_panel, int64_t last_panel, MatrixView logits) const {
    const auto& [first, count, precision] = stretch;
    const float* const bias = bias_ + first_panel * kPanelCols;
    switch (precision) {
      case Precision::kF32:
        PackedProduct(layer_.panels_, hidden_.Rows(first, count), first_panel, last_panel, bias, false, logits);
        break;
      case Precision::kInt8:
        QuantizedProduct(layer_.quantized_, quantized_.Rows(first, count), first_panel, last_panel, bias, false,
                         logits);
        break;
      case Precision::kBf16:
        Bf16Product(layer_.bf16_, narrow_.Rows(first, count), first_panel, last_panel, bias, false, logits);
        break;
    }
  }

  // By how much row m's screened logits may differ from those in f32: with x' and W' as they are stored,
  //   |x . W - x' . W'| <= |x - x'| |W| + |x'| |W - W'|,
  // and what the arithmetic of both rounds: in f32 each of d_model additions by 2^-24 of |x| |W| at most, and the bias'
  // by as much of the logit. `best`: the largest screened logit.
  float LargestError(int64_t m, float best) const {
    const float* const x = hidden_.row(m);
    const uint8_t* const q = quantized_.row(m);
    const float scale = quantized_.scales[m];
    double error = 0, norm = 0;
    for (int64_t k = 0; k < layer_.d_model_; ++k) {
      const float stored = scale * static_cast<float>(q[k] - 128);
      error += static_cast<double>(x[k] - stored) * (x[k] - stored);
      norm += static_cast<double>(stored) * stored;
    }
    const double x_error = std::sqrt(error), x_norm = std::sqrt(norm);
    const QuantizedPanels& weights = layer_.quantized_;
    const double rounding =
        1e-7 *
        (static_cast<double>(layer_.d_model_ + 16) * (x_norm + x_error) * weights.largest_norm() + 16 * std::abs(best));
    return static_cast<float>(1.0001 *
                              (x_error * weights.largest_norm() + x_norm * weights.largest_error() + rounding));
  }

  // Of answer.best, screened: the one whose f32 logit is the best of the whole vocabulary.
  void FindExactBest(int64_t m, const VocabularyQuery& query, VocabularyAnswer& answer) const {
    if (answer.best.empty()) return;
    const float floor = answer.best.front().logit - 2 * LargestError(m, answer.best.front().logit);
    const bool may_miss = answer.best.size() == static_cast<size_t>(Kept(m)) && !(answer.best.back().logit < floor);
    Candidate best;
    BestCandidates exact = {&best, 1, 0};
    layer_.CountScreening(may_miss);
    if (may_miss) {
      const float sum = OfferAllInF32(m, query, exact);
      if (std::isnan(sum)) answer.log_normalizer = sum;
    } else {
      for (const Candidate& candidate : answer.best) {
        if (candidate.logit < floor) break;
        const int64_t panel = candidate.id / kPanelCols;
        float logits[kPanelCols];
        MakeLogits({m, 1, Precision::kF32}, panel, panel + 1, {logits, 1, kPanelCols, kPanelCols});
        const float logit = logits[candidate.id % kPanelCols];
        if (std::isfinite(logit)) {
          exact.Offer({logit, candidate.id});
        } else {
          answer.log_normalizer = std::numeric_limits<float>::quiet_NaN();
        }
      }
    }
    answer.best.assign(exact.best, exact.best + exact.count);
  }
  // Not a number if one of the logits is none; else 0.
  float OfferAllInF32(int64_t m, const VocabularyQuery& query, BestCandidates& best) const {
    float sum = 0;
    std::vector<float> row(static_cast<size_t>(kBlockCols));
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t first_panel = block * kBlockPanels;
      const int64_t last_panel = std::min(first_panel + kBlockPanels, layer_.panels());
      const int64_t first_token = first_panel * kPanelCols;
      const int64_t tokens = std::min(last_panel * kPanelCols, vocabulary_) - first_token;
      MakeLogits({m, 1, Precision::kF32}, first_panel, last_panel, {row.data(), 1, kBlockCols, kBlockCols});
      for (auto banned = std::lower_bound(query.banned.begin(), query.banned.end(), first_token);
           banned != query.banned.end() && *banned < first_token + tokens; ++banned) {
        row[static_cast<size_t>(*banned - first_token)] = -kInfinity;
      }
      sum += OfferLogits(row.data(), tokens, static_cast<int32_t>(first_token), best).sum;
    }
    return sum;
  }

  // A token whose screened logit is replaced.
  struct Rescored {
    int32_t id;
    float screened, exact;
  };
  // Row m's best tokens; behind them its target, if it has one.
  std::vector<Rescored> Rescore(int64_t m, absl::Span<const Candidate> best) const {
    std::vector<Rescored> rescored;
    rescored.reserve(best.size() + 1);
    const auto add = [&](int32_t id, float screened) { rescored.push_back({id, screened, ExactLogitOf(m, id)}); };
    for (const Candidate& candidate : best) add(candidate.id, candidate.logit);
    const int32_t target = queries_[static_cast<size_t>(m)].target;
    if (target >= 0) add(target, target_logits_[m]);
    return rescored;
  }
  // The query's best of those that were screened, and their logits among all.
  static void TakeExact(const VocabularyQuery& query, absl::Span<const Rescored> rescored, VocabularyAnswer& answer) {
    for (size_t i = 0; i < answer.best.size(); ++i) answer.best[i].logit = rescored[i].exact;
    // A sum may overflow in one order and not in the other.
    const auto is_wrong = [](const Candidate& candidate) { return !std::isfinite(candidate.logit); };
    if (std::erase_if(answer.best, is_wrong) > 0) answer.log_normalizer = std::numeric_limits<float>::quiet_NaN();
    for (size_t i = 0; i < rescored.size() && query.all_logits != nullptr; ++i) {
      float& logit = query.all_logits[rescored[i].id];
      if (logit != -kInfinity) logit = rescored[i].exact;
    }
    std::sort(answer.best.begin(), answer.best.end(), Better);
    if (answer.best.size() > static_cast<size_t>(query.top)) answer.best.resize(static_cast<size_t>(query.top));
  }

  // Row m's logits of one block.
  void ReduceRow(int64_t part, int64_t block, int64_t m, float* row, int64_t first_token, int64_t tokens) {
    const VocabularyQuery& query = queries_[static_cast<size_t>(m)];
    ExpSum* const sums = Sums(m);
    auto banned = std::lower_bound(query.banned.begin(), query.banned.end(), first_token);
    for (; banned != query.banned.end() && *banned < first_token + tokens; ++banned) {
      float& logit = row[*banned - first_token];
      sums[blocks_ + (banned - query.banned.begin())] = {logit, 1};
      logit = -kInfinity;
    }
    if (query.all_logits != nullptr) std::copy(row, row + tokens, query.all_logits + first_token);
    if (query.target >= 0) {
      likelier_[part * rows() + m] += CountAbove(row, tokens, target_logits_[m]);
    }
    // What one part has found, others need not beat: it changes what they pass over, not what the best of all are. Of
    // two that write at once either may win.
    std::atomic_ref<float> shared_floor(floors_[m]);
    const float floor = shared_floor.load(std::memory_order_relaxed);
    const int32_t first = static_cast<int32_t>(first_token);
    BestCandidates kept = {Best(part, m), Kept(m), best_counts_[part * rows() + m]};
    sums[block] =
        query.normalizer ? ReduceLogits(row, tokens, first, floor, kept) : OfferLogits(row, tokens, first, floor, kept);
    best_counts_[part * rows() + m] = kept.count;
    if (kept.floor() > floor) shared_floor.store(kept.floor(), std::memory_order_relaxed);
  }

  float LogNormalizer(int64_t m, absl::Span<const Rescored> rescored) const {
    const VocabularyQuery& query = queries_[static_cast<size_t>(m)];
    const bool over_banned = query.normalizer && query.normalize_over_banned;
    const ExpSum all = SumOfSums(Sums(m), blocks_ + (over_banned ? static_cast<int64_t>(query.banned.size()) : 0));
    if (!query.normalizer) return all.sum;
    return all.max + static_cast<float>(std::log(Corrected(all.sum, all.max, query, rescored)));
  }

  // The sum with the terms of the rescored tokens replaced: at least what these alone give.
  static double Corrected(double sum, float max, const VocabularyQuery& query, absl::Span<const Rescored> rescored) {
    double exact = 0;
    for (size_t i = 0; i < rescored.size(); ++i) {
      const Rescored& one = rescored[i];
      const bool is_target = one.id == query.target && i + 1 == rescored.size();
      if (is_target && !AloneInTheSum(query, rescored)) continue;
      sum -= std::exp(static_cast<double>(one.screened) - max);
      exact += std::exp(static_cast<double>(one.exact) - max);
    }
    return std::max(sum, 0.0) + exact;
  }
  // Whether the target behind the best tokens is none of them, and is in the sum.
  static bool AloneInTheSum(const VocabularyQuery& query, absl::Span<const Rescored> rescored) {
    for (size_t i = 0; i + 1 < rescored.size(); ++i) {
      if (rescored[i].id == query.target) return false;
    }
    return query.normalize_over_banned || !std::binary_search(query.banned.begin(), query.banned.end(), query.target);
  }

  int Kept(int64_t m) const {
    const bool screened = layer_.screens() || screens_in_f32_[static_cast<size_t>(m)];
    return queries_[static_cast<size_t>(m)].top + (screened ? kScreened : 0);
  }

  const VocabularyProjection& layer_;
  const float* const bias_;
  const int64_t vocabulary_;
  const ConstMatrixView hidden_;
  const std::vector<char> screens_in_f32_;  // [rows]
  const std::vector<Stretch> stretches_;    // all rows
  const QuantizedRows quantized_;           // hidden, if any stretch is in 8 bits
  const Bf16Rows narrow_;                   // hidden, of kBf16
  const absl::Span<const VocabularyQuery> queries_;
  const int64_t blocks_;
  const int64_t blocks_per_part_;
  const int64_t parts_;
  int64_t top_total_ = 0;
  std::vector<int64_t> top_offset_, sums_offset_;  // of each row
  ExpSum* sums_ = nullptr;                         // of each row: of its blocks, then of each of its banned tokens
  float* floors_ = nullptr;                        // of each row: tokens with a smaller logit are not among the best
  Candidate* best_ = nullptr;                      // [parts, top_total]
  int* best_counts_ = nullptr;                     // [parts, rows]
  float* target_logits_ = nullptr;                 // of each row's target
  int64_t* likelier_ = nullptr;                    // [parts, rows]
  std::vector<MatrixView> scratch_;                // of each part: [rows, kBlockCols]
};

void VocabularyProjection::Apply(ConstMatrixView hidden, absl::Span<const VocabularyQuery> queries,
                                 absl::Span<VocabularyAnswer> answers, Context& context) const {
  if (hidden.rows == 0) return;
  Arena::Scope scope(context.arena);
  Product product(*this, hidden, queries, context);
  context.team.Run(product.parts(), [&](int64_t part) { product.RunPart(part); });
  RunRows(context.team, hidden.rows, product.FinishingWork(), [&](int64_t first, int64_t last) {
    for (int64_t m = first; m < last; ++m) product.FinishRow(m, answers[static_cast<size_t>(m)]);
  });
}

}  // namespace heed
