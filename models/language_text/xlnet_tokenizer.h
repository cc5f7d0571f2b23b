// SPDX-License-Identifier: Apache-2.0
// Between text and the pieces of an XLNet's SentencePiece model, as Hugging Face's XLNetTokenizer (the slow one of
// transformers 4.30.2) does it.
//
// docs/model-directories.md, "Tokenizers of language models", has the files and their fields.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "models/text/text_tokenizer.h"

namespace heed {

// The ids by which a network knows its special pieces. Those that a model may lack are optional.
struct XlnetTokens {
  int32_t separator = 0;       // <sep>, behind each text
  int32_t classification = 0;  // <cls>, the last token
  std::optional<int32_t> mask;
  std::optional<int32_t> pad;
  std::optional<int32_t> end_of_paragraph;  // <eop>
  std::optional<int32_t> end_of_document;   // <eod>
};

class XlnetTokenizer : public TextTokenizer {
 public:
  virtual const XlnetTokens& tokens() const = 0;
};

// Reads spiece.model, which has `vocabulary` pieces, and tokenizer_config.json, if it is there. Errors name the file or
// the field, and the value.
//
// The rules are SentencePiece's own (kOwn): kMoses, kWhitespace and append_line_end are refused.
absl::StatusOr<std::unique_ptr<const XlnetTokenizer>> LoadXlnetTokenizer(const std::string& directory,
                                                                         int64_t vocabulary);

}  // namespace heed
