// SPDX-License-Identifier: Apache-2.0
// What fine-tuned XLNets have behind the network, by the names of transformers' XLNetForSequenceClassification,
// -MultipleChoice, -TokenClassification, -QuestionAnsweringSimple and -QuestionAnswering.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "models/layers/layer_normalization.h"
#include "models/layers/weight_reader.h"
#include "models/xlnet/xlnet_config.h"

namespace heed {

// A span's end that is likely behind a start.
struct XlnetSpan {
  int64_t start = 0, end = 0;  // places of the outputs
  float log_probability = 0;   // log p(start) + log p(end | start)
};

// Immutable after load, thread-safe.
class XlnetHeads {
 public:
  static absl::StatusOr<std::unique_ptr<const XlnetHeads>> Load(const WeightReader& root, const XlnetConfig& config);

  bool classifies() const { return has_logits_ && !chooses_; }
  bool chooses() const { return chooses_; }
  bool tags() const { return has_tags_; }
  bool answers() const { return has_spans_ || has_beams_; }
  bool has_beams() const { return has_beams_; }

  // The vector of the classification head [d_model], of the rows that the summary takes: one, or all.
  std::vector<float> Summary(ConstMatrixView rows, Context& context) const;
  // Of its vector: a number for each label.
  std::vector<float> Logits(const std::vector<float>& summary, Context& context) const;
  // hidden [rows, d_model]: [rows, labels], in the caller's arena scope.
  MatrixView Tags(ConstMatrixView hidden, Context& context) const;
  // [rows, 2]: of starts and ends, likewise.
  MatrixView Spans(ConstMatrixView hidden, Context& context) const;
  // Of the `allowed` rows, at least one: the start_n_top likeliest starts, and of each the end_n_top likeliest ends
  // (Yang et al. 2019's code for SQuAD), and what is higher the less there is an answer. The last row is <cls>.
  std::vector<XlnetSpan> BeamSpans(ConstMatrixView hidden, const std::vector<bool>& allowed, float& no_answer,
                                   Context& context) const;

 private:
  XlnetHeads() = default;
  absl::Status LoadClassification(const WeightReader& root);
  absl::Status LoadSpans(const WeightReader& root);
  std::vector<float> Apply(const Linear& layer, const std::vector<float>& x, Context& context) const;
  std::vector<float> EndLogits(ConstMatrixView hidden, int64_t start, Context& context) const;

  XlnetConfig config_;
  bool has_logits_ = false, chooses_ = false, has_tags_ = false, has_spans_ = false, has_beams_ = false;
  Linear summary_, logits_;                    // sequence_summary.summary, logits_proj
  Linear tags_;                                // classifier
  Linear spans_;                               // qa_outputs
  Linear start_, end_first_, end_second_;      // start_logits.dense, end_logits.dense_0 and dense_1
  LayerNormalization end_norm_;                // end_logits.LayerNorm
  Linear no_answer_first_, no_answer_second_;  // answer_class.dense_0 and dense_1
};

// log softmax of the allowed ones; -infinity for the others.
std::vector<float> LogSoftmax(const std::vector<float>& logits, const std::vector<bool>& allowed);

}  // namespace heed
