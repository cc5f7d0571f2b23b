// SPDX-License-Identifier: Apache-2.0
// The words of a text as a Transformer-XL's vocabulary spells them: the rules of Hugging Face's
// TransfoXLTokenizer (transformers 4.30.2), which are Moses' with "@-@" between the parts of "well-known" and "@,@" or
// "@.@" within numbers.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/moses/aligned_text.h"
#include "models/moses/moses_detokenizer.h"
#include "models/moses/moses_tokenizer.h"

namespace heed {

struct AlignedWord {
  std::string word;
  TextOrigin origin;
};

// Immutable, thread-safe.
class MosesWords {
 public:
  // For a language of HasMosesRules (models/moses/moses_tokenizer.h).
  explicit MosesWords(absl::string_view language);

  // `whole`: words that the rules do not take apart, in capitals or not ("<unk>"). Takes linear time.
  std::vector<AlignedWord> Split(AlignedText text, const std::vector<std::u32string>& whole) const;
  // Back to a text.
  std::string Join(const std::vector<std::string>& words) const;

 private:
  std::string language_;
  MosesTokenizer tokenizer_;
  MosesDetokenizer detokenizer_;
};

}  // namespace heed
