// SPDX-License-Identifier: Apache-2.0
#include "base/visible_text.h"

#include <unicode/utf8.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"

namespace heed::client {
namespace {

bool IsControl(UChar32 character) { return character < 0x20 || (character >= 0x7f && character < 0xa0); }

// Separators of lines and paragraphs; embeddings, overrides, isolates and their ends; the deprecated format characters.
// The marks U+200E, U+200F and U+061C are not among them: they are part of ordinary Hebrew and Arabic text and reach no
// further than their neighbors.
bool IsLayout(UChar32 character) {
  return (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x206f);
}

// Calls `on_character` with each character (negative: a byte that is not UTF-8) and its bytes.
template <typename OnCharacter>
void ForEachCharacter(std::string_view text, const OnCharacter& on_character) {
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t i = 0; i < size;) {
    const int64_t start = i;
    UChar32 character = 0;
    U8_NEXT(text.data(), i, size, character);
    if (character < 0) i = start + 1;
    on_character(character, text.substr(static_cast<size_t>(start), static_cast<size_t>(i - start)));
  }
}

std::string Visible(std::string_view text, bool one_line) {
  std::string out;
  out.reserve(text.size());
  ForEachCharacter(text, [&](UChar32 character, std::string_view bytes) {
    if (character == '\t' || character == '\n' || (one_line && character == '\r')) {
      out += one_line ? ' ' : static_cast<char>(character);
    } else if (character < 0) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(bytes[0]));
    } else if (IsControl(character)) {
      absl::StrAppendFormat(&out, "\\x%02x", character);
    } else if (IsLayout(character)) {
      absl::StrAppendFormat(&out, "\\u%04x", character);
    } else {
      out += bytes;
    }
  });
  return out;
}

}  // namespace

std::string VisibleLine(std::string_view text) { return Visible(text, /*one_line=*/true); }

std::string VisibleLines(std::string_view text) { return Visible(text, /*one_line=*/false); }

std::string JsonText(const nlohmann::ordered_json& json, int indent) {
  const std::string text = json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  // Only within strings: outside them there are none, except the line ends of an indented value.
  ForEachCharacter(text, [&](UChar32 character, std::string_view bytes) {
    if (character != '\n' && (IsControl(character) || IsLayout(character))) {
      absl::StrAppendFormat(&out, "\\u%04x", character);
    } else {
      out += bytes;
    }
  });
  return out;
}

}  // namespace heed::client
