// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a model directory chooses in config.json's object `tokenizer`: docs/rnn-seq2seq.md, "Tokenizer".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_fields.h"
#include "models/text/translation_tokenizer.h"

namespace heed {

// The special ids of a network and how many ids its two sides have. Each id is below its side's number.
struct ConfiguredTokenIds {
  int64_t source_vocabulary = 0;
  int64_t target_vocabulary = 0;
  std::optional<int32_t> source_start, source_end, source_unknown;
  std::optional<int32_t> target_start;  // none: the decoder starts with a vector of zeros
  int32_t target_end = 0;
  std::optional<int32_t> target_unknown, target_pad;
  std::vector<int32_t> source_special, target_special;  // further ids that no text becomes
};

// Reads the files that `tokenizer`, config.json's object, asks for. INVALID_ARGUMENT names the file and what is wrong
// in it; NOT_FOUND: the file that is not there.
//
// Tokens that the vocabulary does not have become the unknown id, or are left out if there is none.
absl::StatusOr<std::unique_ptr<const TranslationTokenizer>> LoadConfiguredTokenizer(const std::string& directory,
                                                                                    JsonFields tokenizer,
                                                                                    const ConfiguredTokenIds& ids);

}  // namespace heed
