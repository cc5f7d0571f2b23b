// SPDX-License-Identifier: Apache-2.0
// What HTML and XML are made of. Every byte of a source belongs to exactly one token, so that the tokens in order are
// the source.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace heed {

enum class TokenKind : uint8_t {
  kText,        // with character references; in HTML also "<" and "&" that begin nothing
  kPlainText,   // the content of title and textarea: with references, without tags
  kRawText,     // the content of script, style and the like: neither
  kCharacters,  // <![CDATA[...]]> of XML
  kStartTag,
  kEndTag,
  kOther,  // comments, the document type, processing instructions, and whatever else a browser does not show
};

struct MarkupToken {
  uint32_t begin = 0, end = 0;  // bytes of the source
  uint32_t name_end = 0;        // of a tag
  TokenKind kind = TokenKind::kText;
  bool self_closing = false;  // a start tag that ends with "/>"

  absl::string_view text(absl::string_view source) const { return source.substr(begin, end - begin); }
  // The name of a tag, as the source spells it.
  absl::string_view name(absl::string_view source) const {
    const uint32_t name_begin = begin + (kind == TokenKind::kEndTag ? 2 : 1);
    return source.substr(name_begin, name_end - name_begin);
  }
};

struct MarkupAttribute {
  absl::string_view name;
  size_t value_begin = 0, value_end = 0;  // without quotes
  char quote = 0;                         // '"', '\'' or, without quotes, 0
  bool has_value = false;
};

// Reads the attributes of a tag one after the other, as browsers do.
class AttributeReader {
 public:
  // `begin`: behind the tag's name.
  AttributeReader(absl::string_view source, size_t begin) : source_(source), at_(begin) {}

  // False: there are no more, and end() is behind the ">", or self_closing() and so on are known.
  bool Next(MarkupAttribute& attribute);

  size_t end() const { return at_; }
  bool ended() const { return ended_; }  // false: the source ended within the tag
  bool self_closing() const { return self_closing_; }

 private:
  absl::string_view source_;
  size_t at_;
  bool ended_ = false, self_closing_ = false;
};

inline constexpr auto kNotFound = absl::string_view::npos;

inline bool IsMarkupSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'; }

}  // namespace heed
