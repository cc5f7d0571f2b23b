// SPDX-License-Identifier: Apache-2.0
// Byte pair encoding as subword-nmt does it (Sennrich et al. 2016): a word into the pieces of a vocabulary.
//
// A word begins as its characters, the last of them marked as the end of the word. The merges of the codes file join
// two neighbors each; the one that is first in the file goes first, at all places of the word from left to right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// The merges of a codes file. Immutable, thread-safe.
class BytePairs {
 public:
  // Reads a codes file of subword-nmt: an optional line "#version: 0.2" (without it, 0.1), then one merge a line: two
  // symbols with a blank between them. Of a merge that is there twice the first counts. Errors begin with the path;
  // INVALID_ARGUMENT names the line.
  static absl::StatusOr<BytePairs> Load(const std::string& path);
  BytePairs() = default;

  // The pieces of a word, which is UTF-8 and not empty: together they are the word. They refer to it. Takes time
  // proportional to n log n for n bytes.
  std::vector<absl::string_view> Split(absl::string_view word) const;
  // The same with `separator` at the end of each piece but the last. Pieces for which `has` is false, asked with their
  // separator, are cut into what they merged from, again and again until it is true or nothing merged, as subword-nmt
  // does with a vocabulary.
  std::vector<std::string> SplitWithin(absl::string_view word, absl::string_view separator,
                                       absl::FunctionRef<bool(absl::string_view)> has) const;
  // Whether a word can have this piece: a character, or what a merge makes; none is empty. `last`: at its end.
  bool CanMake(absl::string_view piece, bool last) const;

 private:
  struct Merge {
    int32_t rank = 0;
    int32_t result = 0;  // symbol
  };
  class Word;

  absl::Status Add(absl::string_view line);
  // The two parts that a merge made this piece of; nothing if no merge makes it. `last`: the piece ends its word.
  std::optional<std::pair<absl::string_view, absl::string_view>> Unmerge(absl::string_view piece, bool last) const;
  int32_t SymbolOf(const std::string& text);             // makes one
  int32_t FindSymbol(absl::string_view text) const;      // -1: no merge has it
  const Merge* Find(int32_t left, int32_t right) const;  // null: they do not merge

  bool end_is_symbol_ = false;                         // version 0.1: the end of the word is a symbol of its own
  absl::flat_hash_map<std::string, int32_t> symbols_;  // with "</w>" at the end of those that end words
  absl::flat_hash_map<std::pair<int32_t, int32_t>, Merge> merges_;
  std::vector<int32_t> left_bytes_;  // of each symbol: of the left part of the first merge that makes it; 0: none does
};

}  // namespace heed
