// SPDX-License-Identifier: Apache-2.0
// Transformer-XL (Dai et al. 2019), as Hugging Face's TransfoXLModel, TransfoXLLMHeadModel and
// TransfoXLForSequenceClassification (transformers 4.30.2) compute it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/linear/linear.h"
#include "files/checkpoint.h"
#include "models/language/causal_network.h"
#include "models/layers/layer_normalization.h"
#include "models/layers/weight_reader.h"
#include "models/transformer_xl/adaptive_embedding.h"
#include "models/transformer_xl/adaptive_softmax.h"
#include "models/transformer_xl/relative_attention.h"
#include "models/transformer_xl/relative_positions.h"
#include "models/transformer_xl/transformer_xl_config.h"
#include "models/transformer_xl/transformer_xl_memory.h"

namespace heed {

// Immutable after load, thread-safe.
class TransformerXlNetwork : public CausalNetwork {
 public:
  // The names of the tensors may lack "transformer." before them. Without `crit.*` it has no output layer, and
  // answers no queries; `score.weight` is the classifier. `precision` as PrecisionHere gives it. INVALID_ARGUMENT: a
  // tensor is missing, has another shape, or belongs to nothing.
  static absl::StatusOr<std::unique_ptr<TransformerXlNetwork>> Load(const Checkpoint& checkpoint,
                                                                    const TransformerXlConfig& config,
                                                                    Precision precision = Precision::kF32);

  int64_t vocabulary() const override { return config_.vocabulary; }
  int64_t weights() const override { return weights_; }
  int64_t resident_bytes() const override { return resident_bytes_ + positions_->resident_bytes(); }
  const std::vector<QuantizationError>& quantization_errors() const { return quantization_errors_; }
  bool has_segments() const override { return !config_.same_length; }
  bool has_hugging_face_mode() const override { return !config_.same_length; }
  std::unique_ptr<TextMemory> NewMemory(const MemoryOptions& options) const override;
  absl::StatusOr<std::unique_ptr<TextMemory>> ParseMemory(absl::string_view bytes) const override;
  int64_t MemoryBytes(int64_t tokens_before, int64_t tokens) const override;
  void Read(absl::Span<const Reading> readings, Context& context) const override;

  bool has_output_layer() const { return softmax_.has_value(); }
  const std::optional<Linear>& classifier() const { return classifier_; }  // d_model to labels
  const TransformerXlConfig& config() const { return config_; }

  // Bytes that each step reads at least: the weights of the layers, the positions, the softmax's head; and of each
  // stream the keys and values of a full memory.
  int64_t step_bytes() const;
  int64_t memory_step_bytes() const;

  // A memory for a text that is one segment, however long it is and however it is cut into readings.
  std::unique_ptr<TextMemory> NewMemoryOfOneSegment() const;

  // Hidden states of one stream's tokens. The reading has no queries.
  struct HiddenStates {
    int64_t layer = 0;  // 0: the embeddings; n: behind layer n
    MatrixView states;  // out: [tokens, d_model]
    // Out, if not null: of the tokens from `attention_from` on the weights of the last layer, as
    // NextTokenQuery::attention.
    std::vector<std::vector<float>>* attention = nullptr;
    int64_t attention_from = 0;
  };
  // Reads like Read, and gives `wanted`, one for each reading.
  void ReadHiddenStates(absl::Span<const Reading> readings, absl::Span<const HiddenStates> wanted,
                        Context& context) const;

 private:
  struct Layer {
    Linear query_key_value, out;
    RelativeAttentionWeights attention;
    LayerNormalization attention_norm;
    Linear inner, outer;  // of the feed-forward network
    LayerNormalization feed_forward_norm;
  };
  class Step;
  struct Loader;

  TransformerXlNetwork() = default;
  TransformerXlMemoryShape MemoryShape() const;

  TransformerXlConfig config_;
  AdaptiveEmbedding embedding_;
  std::vector<PackedPanels> embedding_tables_;  // those that no output layer has
  std::vector<Linear> embedding_projections_;
  std::vector<Layer> layers_;
  std::unique_ptr<const RelativePositions> positions_;
  std::optional<AdaptiveSoftmax> softmax_;
  std::optional<Linear> classifier_;
  int64_t weights_ = 0;
  int64_t resident_bytes_ = 0;  // positions aside
  std::vector<QuantizationError> quantization_errors_;
};

}  // namespace heed
