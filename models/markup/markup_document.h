// SPDX-License-Identifier: Apache-2.0
// A text with markup as a translator needs it: the texts in it, and the document again with their translations.
//
// What is translated: the text that people read, cut at block elements (a paragraph, a cell, a heading), and the
// attributes that people read (alt, title, placeholder, aria-label, ...). Everything else comes back to the byte.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/translator.h"

namespace heed {

enum class MarkupKind {
  kHtml,  // a document or a part of one, as browsers read it; anything is HTML
  kXml,   // content of XML: a document, or a part with text and any number of elements
};

// What elements are, beside what is known about HTML's. Names: in HTML without regard to case.
struct MarkupRules {
  std::vector<std::string> ignored;    // their content is not translated
  std::vector<std::string> splitting;  // a sentence does not go across their tags
  std::vector<std::string> inlined;    // a sentence goes across their tags; before `splitting`
  // Of XML: an element is a part of a sentence only where text stands beside it. False: all but the splitting ones are.
  bool detect_structure = true;
};

// A text that sentences do not go across: a paragraph, a cell, the value of an attribute.
struct MarkupUnit {
  // As a reader sees it: without tags, references decoded ("&amp;" is "&"), white space collapsed. Has letters beside
  // the kept ranges, and neither begins nor ends with white space.
  std::string text;
  // Must be in the translation to the byte: code, placeholders, addresses, what translate="no" is on. In order, without
  // overlaps, not empty.
  std::vector<TextRange> kept;
};

// A unit's translation. Both texts are plain.
struct TranslatedUnit {
  std::string text;
  // Target ranges are in order within `text`, source ranges within MarkupUnit::text; others are passed over. Empty:
  // tags are placed in proportion.
  std::vector<AlignedToken> alignment;
};

// Immutable, thread-safe, movable. Parse and Render take time linear in the document and its translations, whatever it
// holds.
class MarkupDocument {
 public:
  // INVALID_ARGUMENT: not UTF-8; or XML that is not well-formed, with line, column and what was expected.
  static absl::StatusOr<MarkupDocument> Parse(absl::string_view source, MarkupKind kind, const MarkupRules& rules);

  MarkupDocument(MarkupDocument&&) noexcept;
  MarkupDocument& operator=(MarkupDocument&&) noexcept;
  ~MarkupDocument();

  // In the order of the document; an attribute's before the text behind its tag.
  absl::Span<const MarkupUnit> units() const;

  // The document with `translations`, one for each unit. Every tag of the source is in it exactly once, nested as in
  // the source, around the words that are aligned with what it was around. A unit whose translation is its own text
  // comes back to the byte. A kept range that a translation lacks is put back at its place.
  std::string Render(absl::Span<const TranslatedUnit> translations) const;

 private:
  struct Parts;
  explicit MarkupDocument(std::unique_ptr<const Parts> parts);

  std::unique_ptr<const Parts> parts_;
};

}  // namespace heed
