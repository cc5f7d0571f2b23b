// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/code_points.h"

namespace heed {

std::optional<size_t> FirstInvalidUtf8(absl::string_view text) {
  // Most texts have nothing beyond ASCII for long.
  size_t ascii = 0;
  for (uint64_t word; ascii + sizeof(word) <= text.size(); ascii += sizeof(word)) {
    std::memcpy(&word, text.data() + ascii, sizeof(word));
    if ((word & 0x8080808080808080u) != 0) break;
  }
  const auto size = static_cast<int32_t>(text.size());
  auto before = static_cast<int32_t>(ascii);
  for (int32_t i = before; i < size; before = i) {
    if (NextCodePoint(text, i) < 0) return static_cast<size_t>(before);
  }
  return std::nullopt;
}

size_t CharacterCount(absl::string_view text) {
  // Every byte but those that go on with a code point begins one.
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (static_cast<uint8_t>(byte) & 0xc0) != 0x80; }));
}

}  // namespace heed
