// SPDX-License-Identifier: Apache-2.0
#include "models/language/unknown_words.h"

#include <algorithm>

#include "models/kinds/language_model.h"

namespace heed {
namespace {

bool IsWithinCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

void UnknownWords::Add(absl::string_view text, int64_t start, int64_t end, std::vector<std::string>& words) {
  if (static_cast<int64_t>(words.size()) >= kMaxUnknownWords) return;
  size_t first = std::min(text.size(), static_cast<size_t>(std::max<int64_t>(0, start)));
  size_t last = std::clamp(static_cast<size_t>(std::max<int64_t>(0, end)), first, text.size());
  if (first == last) return;
  while (first > 0 && IsWithinCharacter(text[first])) --first;
  while (last < text.size() && IsWithinCharacter(text[last])) ++last;
  std::string word(text.substr(first, last - first));
  if (seen_.insert(word).second) words.push_back(std::move(word));
}

}  // namespace heed
