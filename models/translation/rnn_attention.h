// SPDX-License-Identifier: Apache-2.0
// The attention of recurrent translators: Bahdanau et al. 2015, section 3.1 and appendix A.1.2 (`mlp`), and Luong et
// al. 2015, section 3.1, equation 8 (`dot`, `general`).
//
//   a = softmax_j(score(q, h_j)),  c = sum_j a_j h_j
//   dot      q . h_j
//   general  q . (W h_j)
//   mlp      v . tanh(W_q q + b_q + W_k h_j + b_k)
//
// What depends only on h_j, the keys K_j, is computed once for a sentence.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "models/layers/weight_reader.h"
#include "models/translation/rnn_config.h"

namespace heed {

// Immutable after load, thread-safe. A row's bits do not depend on the rows beside it.
class RnnAttention {
 public:
  // What a row attends to. The views are of the row's own sentence.
  struct Source {
    ConstMatrixView keys;      // [tokens, key_width()]
    ConstMatrixView values;    // h, [tokens, output width]
    float* weights = nullptr;  // out, if not null: a, [tokens]
  };

  // Reads the tensors of the scope `attention`. q has `query_width` values, h_j `output_width`.
  static absl::StatusOr<RnnAttention> Load(const WeightReader& scope, const RnnAttentionConfig& config,
                                           int64_t query_width, int64_t output_width);
  RnnAttention() = default;

  // Whether keys are something else than h_j.
  bool has_keys() const { return score_ != RnnScore::kDot; }
  int64_t key_width() const { return key_width_; }
  int64_t multiply_adds() const { return query_.in() * query_.out(); }  // of the linear layer, for each query

  // keys [rows, key_width()] of outputs [rows, output width], with room for PaddedStride. Only if has_keys().
  void ComputeKeys(ConstMatrixView outputs, MatrixView keys, Context& context) const {
    key_.Apply(outputs, keys, context);
  }
  // contexts [rows, output width] of queries [rows, query width]. source(row) is called on the team's threads; no
  // source has more than `max_tokens` tokens.
  void Attend(ConstMatrixView queries, int64_t max_tokens, absl::FunctionRef<Source(int64_t row)> source,
              MatrixView contexts, Context& context) const;

 private:
  RnnScore score_ = RnnScore::kDot;
  int64_t key_width_ = 0;
  Linear query_;               // mlp: W_q, b_q
  Linear key_;                 // mlp: W_k, b_k; general: W
  std::vector<float> energy_;  // mlp: v
};

}  // namespace heed
