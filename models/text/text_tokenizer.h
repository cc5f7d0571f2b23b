// SPDX-License-Identifier: Apache-2.0
// What a language model needs of a tokenizer: from any text to token ids with their places, and from ids back to text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

struct TextToken {
  int32_t id = 0;
  // The bytes of the text that became this token; white space around them is left out. Offsets never go back from one
  // token to the next. A token that stands for nothing in the text (an end of line) has start = end.
  int64_t start = 0, end = 0;
  bool is_unknown = false;
};

// Which rules; a tokenizer that does not have them answers INVALID_ARGUMENT with the field's name.
enum class TokenizerRules { kOwn, kMoses, kWhitespace };

struct TokenizeOptions {
  TokenizerRules rules = TokenizerRules::kOwn;
  bool append_line_end = false;
  bool special_tokens = false;  // special tokens in the text are tokens; otherwise text
};

// Immutable after load, thread-safe.
class TextTokenizer {
 public:
  virtual ~TextTokenizer() = default;

  // Takes linear time but for single words of extreme length. `text` is UTF-8. INVALID_ARGUMENT names the field of
  // TextOptions that this tokenizer does not serve ("tokenization", "append_line_end").
  virtual absl::StatusOr<std::vector<TextToken>> Encode(absl::string_view text,
                                                        const TokenizeOptions& options) const = 0;
  // Text of ids; special tokens are left out.
  virtual std::string Decode(absl::Span<const int32_t> ids) const = 0;
  // As the vocabulary spells it. Ids from 0 to size() - 1.
  virtual const std::string& Piece(int32_t id) const = 0;
  virtual std::optional<int32_t> Find(absl::string_view piece) const = 0;
  virtual int64_t size() const = 0;

  virtual std::optional<int32_t> end_of_text() const = 0;  // "<eos>", "</s>": what ends a line or a text
  virtual std::optional<int32_t> unknown() const = 0;
  // Whether end_of_text() ends lines instead of texts (transfo-xl), so that generation goes on behind it.
  virtual bool end_is_of_line() const = 0;
  // Ids that no text becomes and that no generated text has: padding, masks, classes. Ascending.
  virtual const std::vector<int32_t>& special() const = 0;
};

}  // namespace heed
