// SPDX-License-Identifier: Apache-2.0
// Translators of documents that know no language, and what must hold of what comes back, whatever they do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/markup/html_elements.h"
#include "models/markup/html_scanner.h"
#include "models/markup/markup_document.h"
#include "models/markup/words.h"
#include "models/markup/xml_scanner.h"

namespace heed {

enum class FakeLanguage {
  kCapitals,   // every word in capitals, aligned with itself
  kBackward,   // the words in reverse order, in capitals, aligned
  kUnaligned,  // words in capitals, without an alignment
  kChance,     // words and their alignment as chance has it, kept ranges too
  kLost,       // nothing but a word
};
inline constexpr FakeLanguage kFakeLanguages[] = {FakeLanguage::kCapitals, FakeLanguage::kBackward,
                                                  FakeLanguage::kUnaligned, FakeLanguage::kChance, FakeLanguage::kLost};

inline TranslatedUnit FakeTranslation(const MarkupUnit& unit, FakeLanguage language, std::minstd_rand& random) {
  struct Piece {
    TextRange range;
    bool kept;
  };
  std::vector<Piece> pieces;  // words, signs and kept ranges with what is joined to them
  size_t next = 0;
  for (const TextWord& word : SplitWords(unit.text, unit.kept)) {
    while (next < unit.kept.size() && unit.kept[next].end <= word.begin) ++next;
    const bool kept = next < unit.kept.size() && unit.kept[next].begin == word.begin;
    pieces.push_back({{word.begin, word.end}, kept});
  }
  TranslatedUnit translated;
  if (language == FakeLanguage::kLost) {
    translated.text = "<&>";
    return translated;
  }
  std::vector<size_t> order(pieces.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (language == FakeLanguage::kBackward) std::reverse(order.begin(), order.end());
  if (language == FakeLanguage::kChance) std::shuffle(order.begin(), order.end(), random);
  for (const size_t i : order) {
    const Piece& piece = pieces[i];
    // As in the source; in another order, words are apart.
    const bool apart = language == FakeLanguage::kBackward || language == FakeLanguage::kChance
                           ? !translated.text.empty()
                           : i > 0 && pieces[i - 1].range.end < piece.range.begin;
    if (apart) translated.text += ' ';
    std::string text = unit.text.substr(piece.range.begin, piece.range.end - piece.range.begin);
    if (!piece.kept) absl::AsciiStrToUpper(&text);
    const TextRange target{translated.text.size(), translated.text.size() + text.size()};
    translated.text += text;
    const size_t source = language == FakeLanguage::kChance ? random() % pieces.size() : i;
    if (language != FakeLanguage::kUnaligned) translated.alignment.push_back({target, pieces[source].range});
  }
  return translated;
}

inline std::string RenderInFakeLanguage(const MarkupDocument& document, FakeLanguage language, unsigned seed = 1) {
  std::minstd_rand random(seed);
  std::vector<TranslatedUnit> translations;
  for (const MarkupUnit& unit : document.units()) translations.push_back(FakeTranslation(unit, language, random));
  return document.Render(translations);
}

// A document's tags, comments and the like.
struct MarkupTags {
  std::vector<std::string> tags;  // sorted; without the values of attributes that people read
  bool well_formed = true;        // every element is closed, within its parent
  std::vector<std::pair<std::string, std::string>> parents;  // sorted: of each element its tag, and its parent's
};

inline MarkupTags TagsOf(absl::string_view source, MarkupKind kind) {
  const bool html = kind == MarkupKind::kHtml;
  std::vector<MarkupToken> tokens;
  MarkupTags found;
  if (html) {
    tokens = ScanHtml(source);
  } else {
    absl::StatusOr<std::vector<MarkupToken>> scanned = ScanXml(source);
    if (!scanned.ok()) {
      found.well_formed = false;
      found.tags = {std::string(scanned.status().message())};
      return found;
    }
    tokens = *std::move(scanned);
  }
  std::vector<std::pair<std::string, std::string>> open = {{"", ""}};  // name and tag
  for (const MarkupToken& token : tokens) {
    if (token.kind == TokenKind::kText || token.kind == TokenKind::kPlainText || token.kind == TokenKind::kCharacters)
      continue;
    std::string tag(token.text(source));
    if (token.kind == TokenKind::kStartTag && html) {
      tag.clear();
      size_t from = token.begin;
      AttributeReader attributes(source, token.name_end);
      const absl::string_view name = token.name(source);
      for (MarkupAttribute attribute; attributes.Next(attribute);) {
        const bool readable =
            attribute.has_value &&
            (IsReadableAttribute(name, attribute.name) ||
             (absl::EqualsIgnoreCase(name, "meta") && absl::EqualsIgnoreCase(attribute.name, "content")) ||
             (absl::EqualsIgnoreCase(name, "input") && absl::EqualsIgnoreCase(attribute.name, "value")));
        if (!readable) continue;
        const size_t quote = attribute.quote != 0 ? 1 : 0;
        absl::StrAppend(&tag, source.substr(from, attribute.value_begin - quote - from), "TEXT");
        from = attribute.value_end + quote;
      }
      absl::StrAppend(&tag, source.substr(from, token.end - from));
    }
    found.tags.push_back(tag);
    if (token.kind == TokenKind::kStartTag) {
      const std::string name = html ? absl::AsciiStrToLower(token.name(source)) : std::string(token.name(source));
      found.parents.push_back({tag, open.back().second});
      const bool empty = html ? (HtmlTraits(name) & kVoid) != 0 || token.self_closing : token.self_closing;
      if (!empty) open.push_back({name, tag});
    } else if (token.kind == TokenKind::kEndTag) {
      const std::string name = html ? absl::AsciiStrToLower(token.name(source)) : std::string(token.name(source));
      if (open.size() > 1 && open.back().first == name) {
        open.pop_back();
      } else {
        found.well_formed = false;
      }
    }
  }
  if (open.size() > 1) found.well_formed = false;
  std::sort(found.tags.begin(), found.tags.end());
  std::sort(found.parents.begin(), found.parents.end());
  return found;
}

// What is wrong with `translated` as the document `source` in another language; empty if nothing is.
inline std::string DifferenceOfTags(absl::string_view source, absl::string_view translated, MarkupKind kind) {
  const MarkupTags before = TagsOf(source, kind), after = TagsOf(translated, kind);
  if (before.tags != after.tags) {
    std::vector<std::string> lost, more;
    std::set_difference(before.tags.begin(), before.tags.end(), after.tags.begin(), after.tags.end(),
                        std::back_inserter(lost));
    std::set_difference(after.tags.begin(), after.tags.end(), before.tags.begin(), before.tags.end(),
                        std::back_inserter(more));
    return absl::StrCat(before.tags.size(), " tags became ", after.tags.size(),
                        "; lost: ", lost.empty() ? "none" : lost[0], "; more: ", more.empty() ? "none" : more[0]);
  }
  if (!before.well_formed) return "";
  if (!after.well_formed) return "no longer well-formed";
  if (before.parents == after.parents) return "";
  std::vector<std::pair<std::string, std::string>> lost;
  std::set_difference(before.parents.begin(), before.parents.end(), after.parents.begin(), after.parents.end(),
                      std::back_inserter(lost));
  return absl::StrCat("no longer nested: ", lost[0].first, " in ", lost[0].second);
}

}  // namespace heed
