// SPDX-License-Identifier: Apache-2.0
// Finds the phrases of a glossary in texts.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/translator.h"

namespace heed {

struct Phrase {
  std::string text;
  bool ignore_case = false;  // as Unicode folds it: "STRASSE" is "Straße"
};

struct PhraseOccurrence {
  TextRange range;
  size_t phrase = 0;  // index of the phrase
};

// Any number of phrases, at one cost: finding takes time linear in the text. Immutable, thread-safe, movable.
class PhraseFinder {
 public:
  // Phrases without a letter, a digit or a sign are never found. Of phrases that are the same the first counts.
  explicit PhraseFinder(absl::Span<const Phrase> phrases);
  PhraseFinder(PhraseFinder&&) noexcept;
  PhraseFinder& operator=(PhraseFinder&&) noexcept;
  ~PhraseFinder();

  // Whole words only: "art" is not in "party" (of languages without spaces, each character is a word). In order,
  // without overlaps: of those that overlap the first, and of those that begin together the longest. White space of any
  // kind and length is the same; so are composed and decomposed letters. `text` is UTF-8.
  std::vector<PhraseOccurrence> Find(absl::string_view text) const;

 private:
  class Table;
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace heed
