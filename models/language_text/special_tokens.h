// SPDX-License-Identifier: Apache-2.0
// The special tokens of a language model's tokenizer: what its files call them, and where they are in a text.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/json_fields.h"
#include "models/moses/aligned_text.h"

namespace heed {

// As Hugging Face's AddedToken.
struct SpecialToken {
  std::string content;
  bool lstrip = false;  // takes the white space before it
  bool rstrip = false;  // takes the white space behind it
};

// tokenizer_config.json, and for the names of special tokens also special_tokens_map.json, which need not be there.
class TokenizerFiles {
 public:
  // `tokenizer_class`: of transformers, which the file has to name if it names one.
  static absl::StatusOr<TokenizerFiles> Read(const std::string& directory, absl::string_view tokenizer_class);

  // Of tokenizer_config.json. Its status() is also where errors of the functions below are.
  JsonFields& fields() { return config_; }
  // The token that a field such as "eos_token" names, or `fallback` if it is not there.
  SpecialToken Token(absl::string_view field, const SpecialToken& fallback);
  // Those of the list `additional_special_tokens`, or `fallback` if it is not there.
  std::vector<SpecialToken> Additional(const std::vector<SpecialToken>& fallback);

 private:
  SpecialToken Parse(absl::string_view field, const nlohmann::json& value);
  // The file that has the field: tokenizer_config.json first.
  const nlohmann::json& Value(absl::string_view field) const;

  JsonFields config_, map_;
};

struct TextPart {
  AlignedText text;
  const SpecialToken* token = nullptr;  // null: text
};

// A text in order: what is a token, and what is text. Of tokens that begin at one place the longest counts. Takes time
// in proportion to the text and the number of tokens. `tokens` outlives the result.
std::vector<TextPart> SplitAtSpecialTokens(const AlignedText& text, absl::Span<const SpecialToken> tokens);

// Each character in lower case but for those of tokens.
void LowerCaseBetween(absl::Span<const SpecialToken> tokens, AlignedText& text);

}  // namespace heed
