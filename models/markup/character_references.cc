// SPDX-License-Identifier: Apache-2.0
#include "models/markup/character_references.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace heed {
namespace {

constexpr size_t kMaxReferenceName = 32;  // bytes; the longest is CounterClockwiseContourIntegral
constexpr size_t kMaxBareName = 6;        // bytes; "Aacute"
constexpr size_t kMaxDigits = 64;         // of a number; more are no reference
constexpr uint32_t kReplacement = 0xfffd;

void AppendCodePoint(uint32_t c, std::string& text) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  text.append(bytes, static_cast<size_t>(size));
}

struct NamedReferences {
  absl::flat_hash_map<absl::string_view, std::string> texts;
  absl::flat_hash_set<absl::string_view> bare;

  NamedReferences() {
    for (const absl::string_view entry : absl::StrSplit(kNamedReferences, ' ', absl::SkipEmpty())) {
      const size_t equals = entry.find('=');
      std::string text;
      for (const absl::string_view code : absl::StrSplit(entry.substr(equals + 1), '+')) {
        uint32_t c = 0;
        if (absl::SimpleHexAtoi(code, &c)) AppendCodePoint(c, text);
      }
      texts.emplace(entry.substr(0, equals), std::move(text));
    }
    for (const absl::string_view name : absl::StrSplit(kBareReferences, ' ', absl::SkipEmpty())) bare.insert(name);
  }
};

const NamedReferences& Named() {
  static const NamedReferences* const named = new NamedReferences;
  return *named;
}

// What browsers show for a number: Windows-1252 for what are controls in Unicode.
uint32_t HtmlCodePoint(uint32_t c) {
  static constexpr uint16_t kWindows1252[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                                0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                                0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                                0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};
  if (c >= 0x80 && c < 0xa0) return kWindows1252[c - 0x80];
  return c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? kReplacement : c;
}

bool IsXmlCodePoint(uint32_t c) {
  return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c < 0xd800) || (c >= 0xe000 && c < 0xfffe) ||
         (c >= 0x10000 && c <= 0x10ffff);
}

std::optional<CharacterReference> DecodeNumber(absl::string_view source, ReferenceRules rules) {
  size_t i = 2;
  const bool hexadecimal =
      i < source.size() && (source[i] == 'x' || (source[i] == 'X' && rules != ReferenceRules::kXml));
  if (hexadecimal) ++i;
  const size_t digits = i;
  uint32_t c = 0;
  const auto is_digit = [&](char digit) {
    return hexadecimal ? absl::ascii_isxdigit(digit) : absl::ascii_isdigit(digit);
  };
  for (; i < source.size() && i - digits < kMaxDigits && is_digit(source[i]); ++i) {
    const uint32_t digit =
        absl::ascii_isdigit(source[i]) ? source[i] - '0' : (absl::ascii_tolower(source[i]) - 'a' + 10);
    c = std::min<uint32_t>(c * (hexadecimal ? 16 : 10) + digit, 0x110000);
  }
  if (i == digits || i - digits == kMaxDigits) return std::nullopt;
  const bool ended = i < source.size() && source[i] == ';';
  if (rules == ReferenceRules::kXml) {
    if (!ended || !IsXmlCodePoint(c)) return std::nullopt;
  } else {
    c = HtmlCodePoint(c);
  }
  CharacterReference reference;
  reference.size = i + (ended ? 1 : 0);
  AppendCodePoint(c, reference.text);
  return reference;
}

bool IsXmlName(absl::string_view name) {
  return name == "amp" || name == "lt" || name == "gt" || name == "quot" || name == "apos";
}

}  // namespace

std::optional<CharacterReference> DecodeReference(absl::string_view source, ReferenceRules rules) {
  if (source.size() < 2) return std::nullopt;
  if (source[1] == '#') return DecodeNumber(source, rules);
  size_t end = 1;
  while (end < source.size() && end <= kMaxReferenceName && absl::ascii_isalnum(source[end])) ++end;
  const absl::string_view name = source.substr(1, end - 1);
  if (end < source.size() && source[end] == ';') {
    if (rules != ReferenceRules::kXml || IsXmlName(name)) {
      const auto found = Named().texts.find(name);
      if (found != Named().texts.end()) return CharacterReference{end + 1, found->second};
    }
  }
  if (rules == ReferenceRules::kXml) return std::nullopt;
  for (size_t size = std::min(name.size(), kMaxBareName); size >= 2; --size) {
    const absl::string_view bare = name.substr(0, size);
    if (!Named().bare.contains(bare)) continue;
    if (rules == ReferenceRules::kHtmlAttribute) {
      const char next = size + 1 < source.size() ? source[size + 1] : ' ';
      if (absl::ascii_isalnum(next) || next == '=') return std::nullopt;
    }
    return CharacterReference{size + 1, Named().texts.at(bare)};
  }
  return std::nullopt;
}

size_t EntityReferenceSize(absl::string_view source) {
  constexpr size_t kMaxEntityName = 256;
  const auto is_name = [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == ':' || c == '-' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  size_t end = 1;
  while (end < source.size() && end <= kMaxEntityName && is_name(source[end])) ++end;
  const bool named = end > 1 && !absl::ascii_isdigit(source[1]) && source[1] != '-' && source[1] != '.';
  return named && end < source.size() && source[end] == ';' ? end + 1 : 0;
}

void Spelling::AddReference(absl::string_view text, absl::string_view reference) {
  std::string spelled(reference);
  if (!absl::EndsWith(spelled, ";")) spelled.push_back(';');
  if (text.size() == 1 && absl::ascii_isspace(text[0])) return;  // it is collapsed like any other
  references_.try_emplace(std::string(text), std::move(spelled));
}

void Spelling::AddPlain(char c) {
  if (c == '&') plain_and_ = true;
  if (c == '<') plain_less_ = true;
  if (c == '>') plain_greater_ = true;
}

void Spelling::Append(absl::string_view text, ReferenceRules rules, char quote, std::string& out) const {
  const bool xml = rules == ReferenceRules::kXml;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    size_t size = 1;
    while (i + size < text.size() && (static_cast<unsigned char>(text[i + size]) & 0xc0) == 0x80) ++size;
    const absl::string_view character = text.substr(i, size);
    const char next = i + 1 < text.size() ? text[i + 1] : 0;
    const auto found = references_.empty() ? references_.end() : references_.find(character);
    if (found != references_.end()) {
      out += found->second;
    } else if (c == '&') {
      // As the source had it, where that cannot be taken for a reference.
      const bool is_plain = plain_and_ && !xml && next != 0 && next != '#' && !DecodeReference(text.substr(i), rules);
      out += is_plain ? "&" : "&amp;";
    } else if (c == '<') {
      const bool is_plain = !xml && (quote != 0 || (plain_less_ && next == ' '));
      out += is_plain ? "<" : "&lt;";
    } else if (c == '>') {
      out += !xml && (quote != 0 || plain_greater_) ? ">" : "&gt;";
    } else if (quote != 0 && c == quote) {
      out += quote == '"' ? "&quot;" : "&#39;";
    } else {
      absl::StrAppend(&out, character);
    }
    i += size;
  }
}

}  // namespace heed
