// SPDX-License-Identifier: Apache-2.0
// The Transformer of Hugging Face's MarianMT (OPUS-MT): Vaswani et al. 2017, post-norm, sinusoidal positions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernels/head_layout.h"
#include "engine/linear/embedding_table.h"
#include "engine/linear/linear.h"
#include "engine/linear/precision.h"
#include "engine/linear/vocabulary_projection.h"
#include "files/checkpoint.h"
#include "models/layers/feed_forward.h"
#include "models/layers/layer_normalization.h"
#include "models/layers/weight_reader.h"
#include "models/translation/marian_config.h"
#include "models/translation/seq2seq.h"

namespace heed {

// Loads the directory `path` as the Translator `name`; what each file must hold is in
// models/translation/marian_config.h and models/text/marian_tokenizer.h. `precision`: of its linear layers, as
// LoadModel's.
absl::StatusOr<std::shared_ptr<const Translator>> LoadMarian(const std::string& path, const std::string& name,
                                                             Precision precision = Precision::kF32);

class MarianNetwork : public Seq2SeqNetwork {
 public:
  // Reads the tensors that `config` asks for. `encoder_backend` is for the layers that see all tokens of a sentence.
  // `precision`, as PrecisionHere gives it: of the linear layers. Below f32, sentences keep keys and values in f16.
  static absl::StatusOr<std::unique_ptr<MarianNetwork>> Load(
      const Checkpoint& checkpoint, const MarianConfig& config,
      GemmBackend encoder_backend = PreferredBackend(RowCount::kMany), Precision precision = Precision::kF32);

  int64_t vocabulary() const override { return config_.target_vocabulary; }
  int64_t max_source_tokens() const override { return config_.max_positions; }
  int64_t max_target_tokens() const override { return config_.max_positions; }
  bool has_attention() const override { return true; }
  int64_t weights() const override { return weights_; }
  // Of the checkpoint's tensors, what is not read and does no harm.
  const std::vector<std::string>& warnings() const { return warnings_; }
  int64_t resident_bytes() const override { return resident_bytes_; }
  const std::vector<QuantizationError>& quantization_errors() const override { return quantization_errors_; }
  int64_t step_multiply_adds() const override;
  std::unique_ptr<DecoderState> NewMemory(std::vector<int32_t> source, int64_t slots) const override;
  int64_t MemoryBytes(int64_t source_tokens, int64_t slots, int64_t target_tokens) const override;
  void Encode(absl::Span<DecoderState* const> memories, Context& context) const override;
  void Step(absl::Span<const StepRow> rows, absl::Span<const VocabularyQuery> queries,
            absl::Span<VocabularyAnswer> answers, Context& context) const override;

  // The encoder's last hidden states of one sentence, [source tokens, d_model], for tests.
  Matrix EncoderStates(const std::vector<int32_t>& source, Context& context) const;

 private:
  struct SelfAttention {
    Linear query_key_value;  // [3 d_model]
    Linear out;
    LayerNormalization norm;
  };
  struct CrossAttention {
    Linear query;
    Linear key_value;  // [2 d_model], of the encoder's output
    Linear out;
    LayerNormalization norm;
  };
  struct FeedForwardBlock {
    FeedForward layer;
    LayerNormalization norm;
  };
  struct EncoderLayer {
    SelfAttention self;
    FeedForwardBlock feed_forward;
  };
  struct DecoderLayer {
    SelfAttention self;
    CrossAttention cross;
    FeedForwardBlock feed_forward;
  };
  struct Memory;
  struct Loader;

  MarianNetwork() = default;
  absl::Status LoadEmbeddings(const WeightReader& root);
  // INVALID_ARGUMENT: the checkpoint has a layer that config.json does not name. Other tensors are warnings.
  absl::Status CheckUnread(const WeightReader& root);
  void SetAlignmentHeads();
  MatrixView EncodePacked(absl::Span<Memory* const> memories, Context& context) const;
  void Embed(const EmbeddingTable& table, const Matrix& positions, int32_t token, int64_t position, float* x) const;

  MarianConfig config_;
  HeadLayout encoder_layout_, decoder_layout_;
  CellStorage cell_storage_ = CellStorage::kF32;
  float embedding_scale_ = 1;
  VocabularyProjection output_;
  // The output layer where they are tied to it, else their own.
  RowTable own_source_embeddings_, own_target_embeddings_;
  const EmbeddingTable* source_embeddings_ = nullptr;
  const EmbeddingTable* target_embeddings_ = nullptr;
  Matrix source_positions_, target_positions_;  // [max_positions, d_model]
  std::vector<EncoderLayer> encoder_;
  std::vector<DecoderLayer> decoder_;
  std::vector<std::vector<int32_t>> alignment_heads_;  // of the cross-attention of each layer
  float alignment_divisor_ = 1;                        // how many these are
  std::vector<std::string> warnings_;
  int64_t weights_ = 0;
  int64_t resident_bytes_ = 0;
  std::vector<QuantizationError> quantization_errors_;
};

}  // namespace heed
