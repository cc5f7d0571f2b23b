// SPDX-License-Identifier: Apache-2.0
// XLNet (Yang et al. 2019): two streams of rows over shared weights, with the numbers of Hugging Face's XLNetModel
// (transformers 4.57.1).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/kernels/relative_attention.h"
#include "engine/linear/embedding_table.h"
#include "engine/linear/linear.h"
#include "engine/linear/vocabulary_projection.h"
#include "models/language/causal_network.h"
#include "models/layers/feed_forward.h"
#include "models/layers/layer_normalization.h"
#include "models/layers/weight_reader.h"
#include "models/xlnet/xlnet_config.h"
#include "models/xlnet/xlnet_pass.h"
#include "models/xlnet/xlnet_positions.h"

namespace heed {

// Immutable after load, thread-safe.
class XlnetNetwork {
 public:
  // `root` is the scope of the whole checkpoint. Heads aside.
  static absl::StatusOr<std::unique_ptr<XlnetNetwork>> Load(const WeightReader& root, const XlnetConfig& config);

  const XlnetConfig& config() const { return config_; }
  // Whether the checkpoint has the head that predicts tokens.
  bool predicts() const { return predicts_; }

  // The hidden states behind layer `depth` (0: the embeddings) of the output rows, [outputs, d_model], in the order of
  // the passes and their rows; in the caller's arena scope. A row's bits do not depend on the rows beside it.
  MatrixView Run(absl::Span<XlnetPass> passes, int64_t depth, Context& context) const;

  // What is likely where hidden states [rows, d_model] are from: one query and one answer a row (`after` and
  // `attention` are the caller's). Only if predicts().
  void Predict(ConstMatrixView hidden, absl::Span<const NextTokenQuery> queries, absl::Span<NextTokenAnswer> answers,
               Context& context) const;

  // Scratch of a step for a stream of `rows` rows that see `keys` keys.
  int64_t StepBytes(int64_t rows, int64_t keys) const;

 private:
  struct Layer {
    Linear query, key_value, out;
    std::vector<float> content_bias, position_bias, segment_bias;  // r_w, r_r, r_s [heads * head_dim]
    std::vector<float> segments;                                   // seg_embed [2, heads * head_dim]
    LayerNormalization attention_norm, norm;
    FeedForward feed_forward;
  };
  struct Batch;
  struct Attention;
  struct Sight;

  XlnetNetwork() = default;
  static absl::StatusOr<Layer> LoadLayer(const WeightReader& scope, const XlnetConfig& config);
  absl::Status LoadEmbeddings(const WeightReader& root, const WeightReader& scope);
  void Embed(const Batch& batch, MatrixView x) const;
  void Keep(const Batch& batch, const Attention& attention, Context& context) const;
  void AttendRows(const Batch& batch, const Attention& attention, int64_t first, int64_t last,
                  MatrixView attended) const;
  void PointAtKeys(const Batch& batch, const Attention& attention, int64_t row, Sight& sight) const;
  RelativeQuery QueryOf(const Batch& batch, const Attention& attention, int64_t index, Sight& sight,
                        float* attended) const;
  void TakeWeights(const Batch& batch, const Attention& attention, int64_t index, const Sight& sight) const;

  XlnetConfig config_;
  bool predicts_ = false;
  std::vector<Layer> layers_;
  VocabularyProjection output_;
  RowTable own_embeddings_;  // unless they are tied to the output layer
  const EmbeddingTable* embeddings_ = nullptr;
  std::vector<float> mask_embedding_;  // [d_model]
  std::unique_ptr<const XlnetPositions> positions_;
};

}  // namespace heed
