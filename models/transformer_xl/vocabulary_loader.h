// SPDX-License-Identifier: Apache-2.0
// Reads the tables of words of a Transformer-XL: adaptive embeddings and softmax, which may be tied to each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/layers/weight_reader.h"
#include "models/transformer_xl/adaptive_embedding.h"
#include "models/transformer_xl/adaptive_softmax.h"
#include "models/transformer_xl/transformer_xl_config.h"

namespace heed {

// By the names of transformers' TransfoXLLMHeadModel: PREFIXword_emb.* and crit.*. A tensor that is tied to another may
// be absent, or there with the same values.
class VocabularyLoader {
 public:
  // `config` and the checkpoint outlive it.
  VocabularyLoader(const TransformerXlConfig& config, const WeightReader& root, std::string prefix)
      : config_(config), root_(root), prefix_(std::move(prefix)) {}

  bool HasOutput() const { return root_.Has("crit.out_layers.0.bias"); }
  absl::StatusOr<std::vector<AdaptiveBin>> ReadOutput();
  // Their tables are those of `output`, if it is not null and they are tied; otherwise they are packed into `tables`.
  // `tables` and `projections` are empty, and their elements must stay where they are afterwards.
  absl::StatusOr<std::vector<AdaptiveEmbedding::Bin>> ReadEmbeddings(const std::vector<AdaptiveBin>* output,
                                                                     std::vector<PackedPanels>& tables,
                                                                     std::vector<Linear>& projections);

 private:
  // The words of a bin: its embeddings, or the weights of its output layer.
  absl::StatusOr<StoredTensor> Words(int64_t bin, bool of_output);
  // Of a bin: [d_model, width].
  absl::StatusOr<const StoredTensor*> EmbeddingProjection(int64_t bin);
  absl::StatusOr<const StoredTensor*> OutputProjection(int64_t bin);
  absl::StatusOr<AdaptiveBin> ReadOutputBin(int64_t bin);

  // With div_val 1 all bins are in one tensor.
  int64_t FileOf(int64_t bin) const { return config_.div_val > 1 ? bin : 0; }
  std::string EmbeddingName(int64_t bin) const;
  std::string OutputName(int64_t bin, const char* what) const;
  std::string EmbeddingProjectionName(int64_t bin) const;

  const TransformerXlConfig& config_;
  const WeightReader root_;
  const std::string prefix_;
};

}  // namespace heed
