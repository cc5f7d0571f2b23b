// SPDX-License-Identifier: Apache-2.0
// Moses' tokenizer.perl as sacremoses 0.2.0 does it: text to words and marks, each a token. The
// languages are those of models/moses/moses_detokenizer.h, too.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace heed {

// Whether there are rules for a language, given by its code of two letters.
bool HasMosesRules(absl::string_view language);
// The codes of those that have, for messages: "de, en, ...".
std::string MosesLanguages();

// Immutable, thread-safe.
class MosesTokenizer {
 public:
  struct Options {
    bool escape = true;               // & | < > ' " [ ] become &amp; &#124; &lt; ..., as without -no-escape
    bool aggressive_hyphens = false;  // "-" between letters becomes a token "@-@", as with -a
  };

  // For a language that has rules.
  MosesTokenizer(absl::string_view language, const Options& options);

  // The tokens of a sentence, which is UTF-8; none of them has white space in it. Control characters are left out.
  // Takes linear time.
  //
  // sacremoses turns the text "DOTMULTI" into a full stop, its own mark of several full stops; here it is text.
  std::vector<std::string> Tokenize(absl::string_view text) const;

 private:
  enum class Apostrophes {
    kWithNextWord,      // "it 's", English
    kWithPreviousWord,  // "l' eau", French and Italian
    kAlone,             // "geht ' s"
  };
  enum class FullStop { kNeverSplit, kSplitBeforeWord };  // what kind of prefix a word is

  void SplitApostrophes(std::u32string& text) const;
  // Whether the full stop at the end of `word` belongs to it; `next` is the word behind it, or empty.
  bool KeepsFullStop(std::u32string_view word, std::u32string_view next) const;

  Apostrophes apostrophes_;
  Options options_;
  absl::flat_hash_map<std::string, FullStop> prefixes_;
};

}  // namespace heed
