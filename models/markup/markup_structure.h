// SPDX-License-Identifier: Apache-2.0
// What each token of a document is to a translator: which tags belong together, what cuts sentences, what stays.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/markup/markup_document.h"
#include "models/markup/markup_tokens.h"

namespace heed {

struct TokenRole {
  int32_t match = -1;            // of a start tag its end tag, of an end tag its start tag; -1: there is none
  bool translated = true;        // text, and what is in the element of a start tag
  bool outer_translated = true;  // of a start tag: what is around the element
  bool attributes_translated = false;
  bool splits = false;       // a tag that a sentence does not go across
  bool hidden = false;       // of a start tag: the element is not even a word of a sentence
  bool has_content = false;  // of a start tag: an end tag is to be expected
  bool preserves = false;    // text: white space counts
};

// The roles of all tokens. Takes linear time.
std::vector<TokenRole> HtmlRoles(absl::string_view source, const std::vector<MarkupToken>& tokens,
                                 const MarkupRules& rules);
std::vector<TokenRole> XmlRoles(absl::string_view source, const std::vector<MarkupToken>& tokens,
                                const MarkupRules& rules);

}  // namespace heed
