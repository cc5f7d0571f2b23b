// SPDX-License-Identifier: Apache-2.0
// What is known about the elements of HTML.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace heed {

enum HtmlTrait : uint16_t {
  kVoid = 1,              // has no content and no end tag
  kBlock = 2,             // a sentence does not go across it
  kRaw = 4,               // its content has neither tags nor references
  kPlain = 8,             // its content has no tags
  kUntranslated = 16,     // its content is not translated
  kHidden = 32,           // nor is it a word of a sentence
  kClosesParagraph = 64,  // its start tag ends a p that is open
  kLeavesForeign = 128,   // its start tag ends svg or math that is open
  kScope = 256,           // a p outside of it is not ended by what is in it
  kSeparates = 512,       // words before and behind it are two, without white space too
};

// The traits of an element; 0 for one that is not HTML's. `name` in any case. Takes constant time.
uint16_t HtmlTraits(absl::string_view name);

// People read the attribute of an element with any name ("title"), or of this element ("alt" of img). Names in any
// case. What depends on other attributes is said by IsReadableValue and IsReadableContent.
bool IsReadableAttribute(absl::string_view element, absl::string_view attribute);
// People read `value` of an input of this type.
bool IsReadableValue(absl::string_view input_type);
// People read `content` of a meta with this name or property.
bool IsReadableContent(absl::string_view meta_name);

}  // namespace heed
