// SPDX-License-Identifier: Apache-2.0
#include "base/excerpt.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// The second and further bytes of a character.
bool Continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

std::string Excerpt(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t end = max_bytes;
  while (end > 0 && Continues(text[end])) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

std::string Quoted(absl::string_view text, size_t max_bytes) {
  return absl::StrCat("\"", Excerpt(text, max_bytes), "\"");
}

std::string Escaped(absl::string_view text, size_t max_bytes) {
  return absl::Utf8SafeCHexEscape(text.substr(0, max_bytes));
}

}  // namespace heed
