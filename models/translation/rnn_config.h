// SPDX-License-Identifier: Apache-2.0
// The configuration of a recurrent translator's directory: docs/rnn-seq2seq.md says what each field computes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_fields.h"
#include "engine/kernels/kernels.h"
#include "models/layers/recurrent_layers.h"
#include "models/translation/generation_config.h"

namespace heed {

// What a decoder's first layer or its output layer sees, and how wide it is.
enum class RnnPart { kEmbedding, kState, kContext, kContextVector, kFeed, kInitial };
bool Holds(const std::vector<RnnPart>& parts, RnnPart part);

// Where a decoder's first state comes from.
enum class RnnStart { kZeros, kLayers, kTop, kTopForward, kMean, kFlattened };
// What an LSTM's cell starts from: the encoder's cell, the same vector as the hidden state, or zeros.
enum class RnnCellStart { kOwn, kHidden, kZeros };

// When a step attends to the source: never; with the state of the step before; with its own; between its two cells.
enum class RnnAttentionTime { kNever, kBefore, kAfter, kBetween };
enum class RnnScore { kDot, kGeneral, kMlp };

struct RnnEmbeddingConfig {
  int64_t vocabulary = 0;
  int64_t width = 0;
  float scale = 1;
};

struct RnnInitConfig {
  RnnStart from = RnnStart::kZeros;
  bool linear = false;
  Activation activation = Activation::kNone;
  bool bias = true;
  RnnCellStart cell = RnnCellStart::kOwn;
};

struct RnnAttentionConfig {
  RnnAttentionTime when = RnnAttentionTime::kNever;
  RnnScore score = RnnScore::kDot;
  int64_t width = 0;  // of an mlp score's hidden layer
  bool query_bias = false;
  bool key_bias = false;
};

// A linear layer over several parts; without `width` only their concatenation.
struct RnnReadoutConfig {
  std::vector<RnnPart> inputs;
  std::optional<int64_t> width;
  Activation activation = Activation::kNone;
  bool bias = true;
};

struct RnnConfig {
  RnnEmbeddingConfig source_embedding, target_embedding;
  RecurrentLayersConfig encoder;
  CellKind cell = CellKind::kGru;
  int64_t decoder_layers = 1;
  int64_t hidden_size = 0;  // of the decoder
  std::vector<RnnPart> decoder_inputs;
  RnnInitConfig init;
  RnnAttentionConfig attention;
  std::optional<RnnReadoutConfig> context_vector;  // always with a width
  RnnReadoutConfig readout;
  bool output_bias = true;
  bool tied_embeddings = false;  // the encoder's and the decoder's are one table
  bool tied_output = false;      // the output layer's weights are the decoder's embeddings

  std::optional<int32_t> source_start, source_end, source_unknown;
  std::vector<int32_t> source_special, target_special;  // further ids that no text becomes
  bool reverse_source = false;
  int64_t max_source_tokens = 0, max_target_tokens = 0;
  std::optional<int32_t> target_start;  // none: a vector of zeros
  int32_t target_end = 0;
  std::optional<int32_t> target_unknown, target_pad;
  bool replace_unknown = false;

  GenerationConfig generation;

  // How many values a part has, and several side by side.
  int64_t WidthOf(RnnPart part) const;
  int64_t WidthOf(const std::vector<RnnPart>& parts) const;
  int64_t readout_width() const { return readout.width ? *readout.width : WidthOf(readout.inputs); }
  bool feeds() const;  // whether the decoder's first layer reads the step before's context vector or state
};

// Reads `directory`/config.json, whose fields stay in `fields`, and the generation settings. Errors name the file, the
// field and its value, and the value that it contradicts.
absl::StatusOr<RnnConfig> ReadRnnConfig(const std::string& directory, JsonFields& fields);

}  // namespace heed
