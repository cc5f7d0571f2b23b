// SPDX-License-Identifier: Apache-2.0
#include "models/translation/marian_config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/json_fields.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxPositions = 1 << 16;

absl::Status Unserved(const JsonFields& fields, absl::string_view name, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(fields.path(), ": ", name, " is ", fields.Shown(name), ", ", what));
}

absl::StatusOr<Activation> ReadActivation(JsonFields& fields) {
  const std::string name = fields.String("activation_function", "gelu");
  if (name == "relu") return Activation::kRelu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "swish" || name == "silu") return Activation::kSwish;
  return Unserved(fields, "activation_function", "but relu, gelu, swish and silu are served");
}

}  // namespace

absl::StatusOr<MarianConfig> ReadMarianConfig(const std::string& directory) {
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(absl::StrCat(directory, "/config.json")));
  MarianConfig config;
  config.d_model = fields.RequiredInt("d_model", 2, kMaxWidth);
  config.encoder_layers = fields.RequiredInt("encoder_layers", 1, kMaxLayers);
  config.decoder_layers = fields.RequiredInt("decoder_layers", 1, kMaxLayers);
  config.encoder_heads = fields.RequiredInt("encoder_attention_heads", 1, kMaxWidth);
  config.decoder_heads = fields.RequiredInt("decoder_attention_heads", 1, kMaxWidth);
  config.encoder_ffn = fields.RequiredInt("encoder_ffn_dim", 1, kMaxWidth);
  config.decoder_ffn = fields.RequiredInt("decoder_ffn_dim", 1, kMaxWidth);
  config.max_positions = fields.RequiredInt("max_position_embeddings", 2, kMaxPositions);
  config.source_vocabulary = fields.RequiredInt("vocab_size", 2, kMaxVocabulary);
  config.target_vocabulary = fields.Int("decoder_vocab_size", config.source_vocabulary, 2, kMaxVocabulary);
  config.scale_embedding = fields.Bool("scale_embedding", false);
  config.shared_embeddings = fields.Bool("share_encoder_decoder_embeddings", true);
  config.tied_output = fields.Bool("tie_word_embeddings", true);
  HEED_RETURN_IF_ERROR(fields.status());
  for (const char* heads : {"encoder_attention_heads", "decoder_attention_heads"}) {
    if (config.d_model % fields.Int(heads, 1) != 0) {
      fields.Wrong(heads, absl::StrCat("which does not divide d_model, ", config.d_model));
    }
  }
  if (config.d_model % 2 != 0) fields.Wrong("d_model", "which is odd");
  if (config.shared_embeddings && config.source_vocabulary != config.target_vocabulary) {
    fields.Wrong("decoder_vocab_size", absl::StrCat("but vocab_size is ", config.source_vocabulary,
                                                    " and share_encoder_decoder_embeddings is true"));
  }
  HEED_ASSIGN_OR_RETURN(config.activation, ReadActivation(fields));
  for (const char* variant : {"normalize_before", "normalize_embedding", "add_final_layer_norm"}) {
    if (fields.Bool(variant, false)) return Unserved(fields, variant, "which is not served");
  }
  const int64_t last = config.target_vocabulary - 1;
  config.pad = static_cast<int32_t>(fields.Int("pad_token_id", last, 0, std::max(last, config.source_vocabulary - 1)));
  HEED_ASSIGN_OR_RETURN(config.generation.search.start,
                        ReadTokenId(fields, "decoder_start_token_id", config.pad, last + 1));
  HEED_ASSIGN_OR_RETURN(config.generation.search.eos, ReadTokenId(fields, "eos_token_id", 0, last + 1));
  HEED_RETURN_IF_ERROR(fields.status());

  HEED_RETURN_IF_ERROR(ReadGenerationConfig(directory, fields, config.target_vocabulary, config.max_positions,
                                            {config.decoder_layers, config.decoder_heads}, config.generation));
  return config;
}

}  // namespace heed
