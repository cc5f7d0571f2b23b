// SPDX-License-Identifier: Apache-2.0
#include "models/translation/rnn_attention.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/core/team.h"
#include "engine/kernels/scored_attention.h"

namespace heed {
namespace {

constexpr char kQuery[] = "query.weight";
constexpr char kKey[] = "key.weight";

// W of (W q) . h_j = q . (W^T h_j) or of q . (W h_j), in the second form, [query_width, output_width].
absl::StatusOr<std::vector<float>> ReadGeneral(const WeightReader& scope, int64_t query_width, int64_t output_width) {
  if (scope.Has(kQuery) == scope.Has(kKey)) {
    return absl::InvalidArgumentError(
        absl::StrCat(scope.PathOf(kKey), ": attention.score is general, which has one of attention.query.weight and ",
                     "attention.key.weight, but the file holds ", scope.Has(kKey) ? "both" : "neither"));
  }
  if (scope.Has(kKey)) return scope.Read(kKey, {query_width, output_width});
  HEED_ASSIGN_OR_RETURN(const std::vector<float> weight, scope.Read(kQuery, {output_width, query_width}));
  std::vector<float> transposed(weight.size());
  for (int64_t i = 0; i < query_width; ++i) {
    for (int64_t j = 0; j < output_width; ++j) {
      transposed[static_cast<size_t>(i * output_width + j)] = weight[static_cast<size_t>(j * query_width + i)];
    }
  }
  return transposed;
}

}  // namespace

absl::StatusOr<RnnAttention> RnnAttention::Load(const WeightReader& scope, const RnnAttentionConfig& config,
                                                int64_t query_width, int64_t output_width) {
  RnnAttention attention;
  attention.score_ = config.score;
  attention.key_width_ = config.score == RnnScore::kMlp ? config.width : query_width;
  const GemmBackend few = PreferredBackend(RowCount::kFew);  // also for keys: short sentences come one at a time
  if (config.score == RnnScore::kGeneral) {
    HEED_ASSIGN_OR_RETURN(const std::vector<float> weight, ReadGeneral(scope, query_width, output_width));
    const std::vector<float> no_bias(static_cast<size_t>(query_width));
    attention.key_ = MakeLinear(weight, no_bias, Activation::kNone, few);
    scope.Count(0, attention.key_.resident_bytes());
  } else if (config.score == RnnScore::kMlp) {
    HEED_ASSIGN_OR_RETURN(attention.query_, scope.ReadLinear("query", config.width, query_width, config.query_bias,
                                                             Activation::kNone, few));
    HEED_ASSIGN_OR_RETURN(attention.key_,
                          scope.ReadLinear("key", config.width, output_width, config.key_bias, Activation::kNone, few));
    HEED_ASSIGN_OR_RETURN(attention.energy_, scope.Read("energy.weight", {1, config.width}));
  }
  return attention;
}

void RnnAttention::Attend(ConstMatrixView queries, int64_t max_tokens, absl::FunctionRef<Source(int64_t row)> source,
                          MatrixView contexts, Context& context) const {
  const Arena::Scope scope(context.arena);
  ConstMatrixView projected = queries;
  if (score_ == RnnScore::kMlp) {
    const MatrixView of_query = TakeMatrix(context.arena, queries.rows, key_width_);
    query_.Apply(queries, of_query, context);
    projected = of_query;
  }
  RunRows(context.team, queries.rows, max_tokens * (key_width_ + contexts.cols), [&](int64_t first, int64_t last) {
    std::vector<const float*> keys(static_cast<size_t>(max_tokens)), values(static_cast<size_t>(max_tokens));
    std::vector<float> weights(static_cast<size_t>(ScoredWeights(max_tokens)));
    for (int64_t i = first; i < last; ++i) {
      const Source from = source(i);
      for (int64_t t = 0; t < from.values.rows; ++t) {
        keys[static_cast<size_t>(t)] = from.keys.row(t);
        values[static_cast<size_t>(t)] = from.values.row(t);
      }
      ScoredQuery query;
      query.query = projected.row(i);
      query.energy = score_ == RnnScore::kMlp ? energy_.data() : nullptr;
      query.key_width = key_width_;
      query.value_width = from.values.cols;
      query.keys = from.values.rows;
      query.key_rows = keys.data();
      query.value_rows = values.data();
      query.weights = weights.data();
      query.context = contexts.row(i);
      AttendByScore(query);
      if (from.weights != nullptr) std::copy_n(weights.data(), from.values.rows, from.weights);
    }
  });
}

}  // namespace heed
