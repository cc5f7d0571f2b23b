// SPDX-License-Identifier: Apache-2.0
// The configuration of a Hugging Face MarianMT directory: config.json and generation_config.json.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "engine/kernels/kernels.h"
#include "models/translation/generation_config.h"

namespace heed {

struct MarianConfig {
  int64_t d_model = 0;
  int64_t encoder_layers = 0, decoder_layers = 0;
  int64_t encoder_heads = 0, decoder_heads = 0;
  int64_t encoder_ffn = 0, decoder_ffn = 0;
  Activation activation = Activation::kNone;
  bool scale_embedding = false;  // embeddings times sqrt(d_model)
  int64_t max_positions = 0;     // rows of the position table
  int64_t source_vocabulary = 0;
  int64_t target_vocabulary = 0;
  bool shared_embeddings = true;  // encoder's and decoder's are one table
  bool tied_output = true;        // the output layer's weights are the decoder's embeddings
  int32_t pad = 0;

  GenerationConfig generation;
};

// Reads `directory`/config.json and the generation settings (models/translation/generation_config.h). Errors name the
// file, the field and its value; UNIMPLEMENTED for what is not served.
absl::StatusOr<MarianConfig> ReadMarianConfig(const std::string& directory);

}  // namespace heed
