// SPDX-License-Identifier: Apache-2.0
// Moses' detokenizer.perl as sacremoses 0.2.0 does it: tokens to text.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

// Immutable, thread-safe.
class MosesDetokenizer {
 public:
  // For a language of HasMosesRules (models/moses/moses_tokenizer.h).
  explicit MosesDetokenizer(absl::string_view language) : language_(language) {}

  // The text of the tokens, each UTF-8. "@-@" joins its neighbors by "-"; &amp; and the like become characters, also if
  // the tokenizer wrote none. Takes linear time.
  std::string Detokenize(absl::Span<const std::string> tokens) const;

 private:
  // Whether the token is written without a blank behind it because its word goes on ("l'" before "eau").
  bool IsElided(absl::string_view token, absl::string_view next) const;

  std::string language_;
};

}  // namespace heed
