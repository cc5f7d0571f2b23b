// SPDX-License-Identifier: Apache-2.0
// Character references of HTML and XML: "&amp;", "&#8364;", "&#x20AC;".
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace heed {

enum class ReferenceRules {
  kHtmlText,       // some names count without a semicolon: "&copy 2024"
  kHtmlAttribute,  // unless a letter, a digit or "=" follows: "?a=1&copy=2"
  kXml,            // numbers, and the five names that XML has
};

struct CharacterReference {
  size_t size = 0;   // bytes of it in the source, from "&" on
  std::string text;  // UTF-8
};

// The reference at the beginning of `source`, which begins with "&"; nothing if there is none. Takes constant time.
std::optional<CharacterReference> DecodeReference(absl::string_view source, ReferenceRules rules);

// The bytes of an XML entity reference at the beginning of `source`, declared or not ("&name;"); 0 if there is none.
size_t EntityReferenceSize(absl::string_view source);

// How a text spelled characters as references, and whether it had "&", "<" and ">" as they are: so its translation is
// spelled like it.
class Spelling {
 public:
  // `text` was spelled as `reference`.
  void AddReference(absl::string_view text, absl::string_view reference);
  // c, one of "&<>", was in the source as it is.
  void AddPlain(char c);

  // Appends `text` for the place that `rules` say. `quote`: of an attribute's value, '"' or '\''; otherwise 0.
  void Append(absl::string_view text, ReferenceRules rules, char quote, std::string& out) const;

 private:
  absl::flat_hash_map<std::string, std::string> references_;  // of one character each; the first spelling counts
  bool plain_and_ = false, plain_less_ = false, plain_greater_ = false;
};

// The tables, in named_references.cc.
extern const char kNamedReferences[];
extern const char kBareReferences[];

}  // namespace heed
