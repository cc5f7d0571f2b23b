// SPDX-License-Identifier: Apache-2.0
// Between text and the words of a Transformer-XL's vocabulary, as Hugging Face's TransfoXLTokenizer (transformers
// 4.30.2) does it, or as the authors' code does, whose tokens are what white space separates.
//
// docs/model-directories.md, "Tokenizers of language models", has the files and their fields.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/text/text_tokenizer.h"

namespace heed {

// Reads vocab.txt, which has `vocabulary` tokens, one a line, and tokenizer_config.json, if it is there. Errors name
// the file, the line or the field, and the value.
//
// The end of text is the token that ends lines ("<eos>"), if the vocabulary has it; Decode writes it as a line break.
absl::StatusOr<std::unique_ptr<const TextTokenizer>> LoadTransformerXlTokenizer(const std::string& directory,
                                                                                int64_t vocabulary);

}  // namespace heed
