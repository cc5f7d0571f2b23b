// SPDX-License-Identifier: Apache-2.0
// Recurrent encoder-decoders, with attention (Bahdanau et al. 2015, Luong et al. 2015) and without (Sutskever et al.
// 2014, Cho et al. 2014). docs/rnn-seq2seq.md has the equations and what each convention of config.json computes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/linear/embedding_table.h"
#include "engine/linear/linear.h"
#include "engine/linear/vocabulary_projection.h"
#include "files/checkpoint.h"
#include "models/layers/recurrent_cell.h"
#include "models/layers/recurrent_layers.h"
#include "models/layers/weight_reader.h"
#include "models/translation/rnn_attention.h"
#include "models/translation/rnn_config.h"
#include "models/translation/rnn_decoder_start.h"
#include "models/translation/seq2seq.h"

namespace heed {

class RnnNetwork : public Seq2SeqNetwork {
 public:
  // Reads the tensors that `config` asks for. `precision` as PrecisionHere gives it. INVALID_ARGUMENT: one is missing,
  // has another shape, or is not asked for.
  static absl::StatusOr<std::unique_ptr<RnnNetwork>> Load(const Checkpoint& checkpoint, const RnnConfig& config,
                                                          Precision precision = Precision::kF32);

  int64_t vocabulary() const override { return config_.target_embedding.vocabulary; }
  int64_t max_source_tokens() const override { return config_.max_source_tokens; }
  int64_t max_target_tokens() const override { return config_.max_target_tokens; }
  bool has_attention() const override { return config_.attention.when != RnnAttentionTime::kNever; }
  int64_t weights() const override { return weights_; }
  int64_t resident_bytes() const override { return resident_bytes_; }
  const std::vector<QuantizationError>& quantization_errors() const override { return quantization_errors_; }
  int64_t step_multiply_adds() const override;
  std::unique_ptr<DecoderState> NewMemory(std::vector<int32_t> source, int64_t slots) const override;
  int64_t MemoryBytes(int64_t source_tokens, int64_t slots, int64_t target_tokens) const override;
  void Encode(absl::Span<DecoderState* const> memories, Context& context) const override;
  void Step(absl::Span<const StepRow> rows, absl::Span<const VocabularyQuery> queries,
            absl::Span<VocabularyAnswer> answers, Context& context) const override;

 private:
  struct Memory;
  struct DecoderRows;

  explicit RnnNetwork(const RnnConfig& config) : config_(config) {}
  absl::Status LoadEmbeddings(const WeightReader& root);
  absl::Status LoadDecoder(const WeightReader& root);
  absl::StatusOr<Linear> LoadLayer(const WeightReader& root, const char* name, const RnnReadoutConfig& layer) const;

  bool Uses(RnnPart part) const;  // in the decoder's inputs or in the readout
  // Values of a state: the hidden state of each layer, for LSTM the cell of each layer, and the feed.
  int64_t state_width() const { return cell_end() + (config_.feeds() ? config_.WidthOf(RnnPart::kFeed) : 0); }
  int64_t hidden_end() const { return config_.decoder_layers * config_.hidden_size; }
  int64_t cell_end() const { return (config_.cell == CellKind::kLstm ? 2 : 1) * hidden_end(); }

  // A decoder's step, in parts: each takes what the parts before it left in `step`.
  DecoderRows Begin(absl::Span<const StepRow> rows, Context& context) const;
  void Recur(DecoderRows& step, Context& context) const;
  void Attend(DecoderRows& step, Context& context) const;
  void RecurWithContext(DecoderRows& step, Context& context) const;
  void End(DecoderRows& step) const;
  // [parts], side by side, until the caller's arena scope ends.
  ConstMatrixView SideBySide(const std::vector<RnnPart>& parts, const DecoderRows& step, Context& context) const;
  ConstMatrixView Readout(const DecoderRows& step, Context& context) const;

  const RnnConfig config_;
  // The output layer where they are tied to it, else their own.
  RowTable own_source_embeddings_, own_target_embeddings_;
  const EmbeddingTable* source_embeddings_ = nullptr;
  const EmbeddingTable* target_embeddings_ = nullptr;
  RecurrentLayers encoder_;
  RnnDecoderStart start_;
  std::vector<RecurrentCell> decoder_;        // of each layer
  std::optional<RecurrentCell> second_cell_;  // attention between: reads the context
  RnnAttention attention_;
  std::optional<Linear> context_vector_, readout_;
  VocabularyProjection output_;
  int64_t weights_ = 0;
  int64_t resident_bytes_ = 0;
  std::vector<QuantizationError> quantization_errors_;
};

}  // namespace heed
