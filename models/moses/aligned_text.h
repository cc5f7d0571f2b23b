// SPDX-License-Identifier: Apache-2.0
// A text that is rewritten step by step, and remembers which bytes of the first text each of its characters came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace heed {

// Bytes of the first text, the end one past the last.
struct TextOrigin {
  int32_t begin = 0, end = 0;
};

// Code points in order. Their origins ascend: neither begins nor ends go back from one character to the next.
class AlignedText {
 public:
  AlignedText() = default;
  // `text` is UTF-8 and shorter than 2 GiB; bytes that are not UTF-8 become U+FFFD.
  explicit AlignedText(absl::string_view text) : AlignedText(text, {0, static_cast<int32_t>(text.size())}) {}
  // These bytes of the text, with their places in all of it.
  AlignedText(absl::string_view text, TextOrigin part);

  const std::u32string& characters() const { return characters_; }
  size_t size() const { return characters_.size(); }
  char32_t operator[](size_t i) const { return characters_[i]; }
  TextOrigin origin(size_t i) const { return origins_[i]; }
  // Of the characters from `begin` to before `end`, of which there is at least one.
  TextOrigin OriginOf(size_t begin, size_t end) const { return {origins_[begin].begin, origins_[end - 1].end}; }

  void Append(char32_t c, TextOrigin origin);
  void Append(const AlignedText& text, size_t begin, size_t end);
  AlignedText Part(size_t begin, size_t end) const;

  // Puts `replacement` in place of each `pattern`, from left to right. Each of its characters comes from all of the
  // pattern's.
  void Replace(std::u32string_view pattern, std::u32string_view replacement);
  // Takes off white space, as Python's str.strip(), lstrip() and rstrip().
  void Strip();
  void StripLeft();
  void StripRight();
  // As Python's str.lower() of the whole text: a capital sigma at the end of a word becomes a final one.
  void LowerCase();
  // As str.lower() of each character by itself.
  void LowerCaseEach();

  std::string Utf8() const;

 private:
  std::u32string characters_;
  std::vector<TextOrigin> origins_;
};

void AppendUtf8(char32_t c, std::string& utf8);

// The bytes without white space at their ends, unless they are nothing else. `text` is the first text.
TextOrigin WithoutSpaces(absl::string_view text, TextOrigin origin);

}  // namespace heed
