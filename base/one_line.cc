// SPDX-License-Identifier: Apache-2.0
#include "base/one_line.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace heed {
namespace {

struct Character {
  size_t bytes = 1;
  char32_t code = 0;
  bool is_valid = false;
};

Character First(absl::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {1, lead, true};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t code = lead & (0x7f >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    code = code << 6 | (next & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (code < kLeast[bytes] || code > 0x10ffff || is_surrogate) return {};
  return {bytes, code, true};
}

bool IsHarmless(char32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool is_separator = code == 0x2028 || code == 0x2029;
  const bool is_direction = code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                            (code >= 0x2066 && code <= 0x2069);
  return !is_control && !is_separator && !is_direction;
}

}  // namespace

std::string OneLine(absl::string_view text) {
  std::string line;
  while (!text.empty()) {
    const Character character = First(text);
    const absl::string_view bytes = text.substr(0, character.bytes);
    if (character.is_valid && IsHarmless(character.code)) {
      line.append(bytes.data(), bytes.size());
    } else {
      for (const char byte : bytes) absl::StrAppendFormat(&line, "\\x%02x", static_cast<uint8_t>(byte));
    }
    text.remove_prefix(character.bytes);
  }
  return line;
}

}  // namespace heed
