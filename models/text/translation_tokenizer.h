// SPDX-License-Identifier: Apache-2.0
// What a translator needs of a tokenizer: from a sentence to the network's token ids, and from ids back to text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/text/token_spans.h"

namespace heed {

// The tokens of a text.
struct EncodedText {
  std::vector<int32_t> ids;
  // Each token as it is in the text, even if the vocabulary does not have it: "▁Zü", "Zü@@", "Zürich". If the tokenizer
  // lower-cases the text, pieces are in lower case, but whole words are not. Empty for tokens that are not part of the
  // text: the start, the end and the language code.
  std::vector<std::string> spellings;
};

// Immutable after load, thread-safe.
class TranslationTokenizer {
 public:
  virtual ~TranslationTokenizer() = default;

  // Tokens of a sentence as the encoder reads them: with its begin and end tokens, if the model has these. `code` is
  // one of language_codes(), or empty. Special tokens and codes in the text ("</s>") are text.
  virtual EncodedText EncodeSource(absl::string_view code, absl::string_view text) const = 0;
  // Ids of a beginning of a translation, without the decoder's start and end tokens.
  virtual std::vector<int32_t> EncodeTargetPrefix(absl::string_view text) const = 0;
  // Text of target ids; start, end and padding are left out. `spellings` is empty, or has one for each id: one that is
  // not empty replaces the piece of the id.
  virtual std::string Decode(absl::Span<const int32_t> ids, absl::Span<const std::string> spellings) const = 0;

  // The piece of an id: "▁Hello"; "</s>". Empty if the vocabulary has none for it.
  virtual const std::string& SourcePiece(int32_t id) const = 0;
  virtual const std::string& TargetPiece(int32_t id) const = 0;

  // How both sides spell tokens.
  virtual const SpellingStyle& style() const = 0;
  // Whether Decode leaves out the piece of a target id: it ends or fills a sentence, or is not known.
  virtual bool IsLeftOut(int32_t id) const = 0;
  virtual std::optional<int32_t> target_unknown() const = 0;

  // The codes that choose the target language, such as ">>deu<<", sorted; none if the model has one target language.
  virtual const std::vector<std::string>& language_codes() const = 0;

  virtual const std::string& source_language() const = 0;  // empty if the files do not say
  virtual const std::string& target_language() const = 0;
};

}  // namespace heed
