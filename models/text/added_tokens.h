// SPDX-License-Identifier: Apache-2.0
// Tokens that a tokenizer has beside its SentencePiece models, as fine-tuning adds them (tokenizer.add_tokens): found
// in a text before SentencePiece sees it, as Hugging Face's PreTrainedTokenizer does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

struct AddedToken {
  std::string content;
  int64_t id = 0;
  bool special = false;      // is left out of decoded text
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool single_word = false;  // only a token where it is a word of its own: elsewhere it is text
};

// Immutable, thread-safe.
class AddedTokens {
 public:
  // Reads tokenizer_config.json's added_tokens_decoder or, where that is not there, added_tokens.json, as transformers
  // does, without the tokens of `but`; and what the two tokenizer files call additional special tokens, of which
  // `vocabulary` has an id. INVALID_ARGUMENT names the file and what is wrong in it.
  static absl::StatusOr<AddedTokens> Read(const std::string& directory, const std::vector<absl::string_view>& but,
                                          const absl::flat_hash_map<std::string, int32_t>& vocabulary);
  AddedTokens() = default;

  // By content.
  const std::map<std::string, AddedToken, std::less<>>& tokens() const { return tokens_; }

  // The text in order: what is a token, and what is text. Of tokens that begin at one place the longest counts. In time
  // proportional to the text and to how many lengths the tokens have.
  struct Part {
    std::string text;
    const AddedToken* token = nullptr;  // null: text
  };
  std::vector<Part> Split(absl::string_view text) const;

 private:
  std::map<std::string, AddedToken, std::less<>> tokens_;
  std::vector<size_t> lengths_;  // of tokens, descending
};

}  // namespace heed
