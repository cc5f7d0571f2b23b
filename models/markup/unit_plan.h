// SPDX-License-Identifier: Apache-2.0
// What a document remembers of a unit: the tags that were taken out of its text, and how the text was written.
#pragma once

#include <cstdint>
#include <vector>

#include "models/kinds/translator.h"
#include "models/markup/character_references.h"

namespace heed {

// Something that was taken out of a unit's text.
struct UnitTag {
  enum Kind : uint8_t {
    kOpen,   // a start tag
    kClose,  // an end tag
    kPoint,  // what stands for itself: an image, a comment, an icon with all that is in it
    kKept,   // an element that is a kept range of the text
  };
  Kind kind = kPoint;
  bool space_before = false, space_behind = false;  // in the source
  bool glued = false;                               // no white space is on either side, though it separates words
  uint32_t at = 0;                                  // offset in the unit's text
  uint32_t begin = 0, end = 0;                      // bytes of the source
  int32_t partner = -1;  // of kOpen its kClose, of kClose its kOpen, as an index; -1: not in this unit
  int32_t kept = -1;     // of kKept: the index of the range
};

// How a kept range comes back.
struct KeptPart {
  uint32_t begin = 0, end = 0;  // the bytes of the source that it is; none: its text, spelled like the unit
  bool is_element = false;      // there is a tag for it
};

struct UnitPlan {
  enum Place : uint8_t {
    kText,        // between tags
    kAttribute,   // a value
    kCharacters,  // within <![CDATA[...]]>
  };
  Place place = kText;
  ReferenceRules rules = ReferenceRules::kHtmlText;
  char quote = 0;               // of an attribute
  uint32_t begin = 0, end = 0;  // the bytes of the source that the translation replaces
  std::vector<UnitTag> tags;    // in the order of the source
  std::vector<KeptPart> kept;   // one for each range of the unit
  Spelling spelling;
};

}  // namespace heed
