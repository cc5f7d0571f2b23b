// SPDX-License-Identifier: Apache-2.0
// The generation settings of a translator's directory: what they impose on a search, and what they suggest to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json_fields.h"
#include "models/kinds/translator.h"
#include "models/search/search.h"

namespace heed {

// A head of the decoder's cross-attention, both from 0.
struct AlignmentHead {
  int32_t layer = 0;
  int32_t head = 0;

  bool operator==(const AlignmentHead&) const = default;
};

struct GenerationConfig {
  std::string path;  // of the file that holds the settings
  SearchRules search;
  TranslateOptions default_options;
  std::vector<AlignmentHead> alignment_heads;  // whose mean aligns source and translation; empty: the network's choice
  std::vector<std::string> warnings;           // settings that are read but do nothing here
};

// Reads `directory`/generation_config.json, or if there is none the generation settings of config.json, as older
// directories have them, into `generation`, whose search.start and search.eos are the defaults of those. The settings
// are in models/search/generation_fields.h. Errors name the file, the field and its value; UNIMPLEMENTED for what
// is not served. `heads`: those of the network's cross-attention; a network without any has no use for alignment_heads.
struct CrossAttentionHeads {
  int64_t layers = 0;
  int64_t heads = 0;  // of each layer
};
absl::Status ReadGenerationConfig(const std::string& directory, JsonFields& config_json, int64_t target_vocabulary,
                                  int64_t max_target_tokens, const CrossAttentionHeads& heads,
                                  GenerationConfig& generation);

// An id below `limit`, `fallback` if the field is not there; a list of one id is that id.
absl::StatusOr<int32_t> ReadTokenId(JsonFields& fields, absl::string_view name, int64_t fallback, int64_t limit);

}  // namespace heed
