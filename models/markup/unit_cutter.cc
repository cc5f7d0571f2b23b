// SPDX-License-Identifier: Apache-2.0
#include "models/markup/unit_cutter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/code_points.h"
#include "models/markup/character_references.h"
#include "models/markup/html_elements.h"
#include "models/markup/placeholders.h"

namespace heed {
namespace {

constexpr size_t kMaxKeptBytes = 200;     // of an element's text; a longer one stands beside a word instead
constexpr size_t kMaxAddressTokens = 32;  // of a link whose text is an address
constexpr size_t kMaxAddressBytes = 2048;
constexpr size_t kMaxNoteTokens = 8;  // of a footnote's mark
constexpr size_t kMaxNoteBytes = 8;
constexpr size_t kMaxTokensAhead = 16;

// The end of the white space at the end of text, as Unicode has it.
size_t TrimmedEnd(absl::string_view text) {
  auto end = static_cast<int32_t>(text.size());
  while (end > 0) {
    int32_t before = end;
    if (!IsSpace(PreviousCodePoint(text, before))) break;
    end = before;
  }
  return static_cast<size_t>(end);
}

bool HasLetterOutside(absl::string_view text, const std::vector<TextRange>& kept) {
  size_t next = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    while (next < kept.size() && kept[next].end <= static_cast<size_t>(i)) ++next;
    if (next < kept.size() && kept[next].begin <= static_cast<size_t>(i)) {
      i = static_cast<int32_t>(kept[next].end);
      continue;
    }
    if (IsLetter(NextCodePoint(text, i))) return true;
  }
  return false;
}

bool EndsClause(UChar32 c) {
  switch (c) {
    case '.':
    case '!':
    case '?':
    case ':':
    case ';':
    case ')':
    case '"':
    case 0x2026:
    case 0x3002:
    case 0xff01:
    case 0xff1f:
    case 0xff1a:
    case 0x201d:
    case 0x964:
    case 0x61f:
    case 0x6d4:
      return true;
    default:
      return false;
  }
}

// What may be between two links of a list of links.
bool SeparatesLinks(UChar32 c) {
  return c == '|' || c == '/' || c == '>' || c == '-' || c == 0xb7 || c == 0x2022 || c == 0xbb || c == 0x203a ||
         c == 0x2013 || c == 0x2014 || c == 0x2192;
}

// A text in the making: white space that nothing follows is not in it yet.
struct UnitText {
  std::string text;
  std::string space;  // behind it

  void Flush() {
    if (!text.empty()) text += space;
    space.clear();
  }
};

class UnitCutter {
 public:
  UnitCutter(absl::string_view source, MarkupKind kind, const std::vector<MarkupToken>& tokens,
             const std::vector<TokenRole>& roles)
      : source_(source),
        html_(kind == MarkupKind::kHtml),
        tokens_(tokens),
        roles_(roles),
        tag_of_(tokens.size(), -1),
        splits_(tokens.size() + 1),
        wanted_(tokens.size() + 1) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool tag = tokens[i].kind == TokenKind::kStartTag || tokens[i].kind == TokenKind::kEndTag;
      splits_[i + 1] = splits_[i] + (tag && roles[i].splits ? 1 : 0);
      const bool wanted = tokens[i].kind == TokenKind::kStartTag && roles[i].translated && !roles[i].outer_translated;
      wanted_[i + 1] = wanted_[i] + (wanted ? 1 : 0);
    }
  }

  CutUnits Cut() {
    for (size_t i = 0; i < tokens_.size(); i = Token(i)) {
    }
    Finish();
    return std::move(cut_);
  }

 private:
  // Handles token i, and returns the one to go on with.
  size_t Token(size_t i) {
    const MarkupToken& token = tokens_[i];
    const TokenRole& role = roles_[i];
    switch (token.kind) {
      case TokenKind::kText:
        role.translated ? AddText(token, role.preserves) : AddKeptText(token);
        return i + 1;
      case TokenKind::kPlainText:
        if (role.translated) {
          Finish();
          AddText(token, role.preserves);
          Finish();
        }
        return i + 1;
      case TokenKind::kRawText:
        AddPoint(i, i, false);
        return i + 1;
      case TokenKind::kCharacters:
        Finish();
        if (role.translated) AddCharacterData(token);
        return i + 1;
      case TokenKind::kOther:
        AddPoint(i, i, false);
        return i + 1;
      case TokenKind::kStartTag:
        return StartTag(i);
      case TokenKind::kEndTag:
        if (html_ && absl::EqualsIgnoreCase(token.name(source_), "br")) return LineBreak(i);
        if (role.splits) {
          Finish();
        } else {
          AddTag(i, UnitTag::kClose);
          if (html_ && absl::EqualsIgnoreCase(token.name(source_), "a")) RememberLink();
        }
        return i + 1;
    }
    return i + 1;
  }

  size_t StartTag(size_t i) {
    const MarkupToken& token = tokens_[i];
    const TokenRole& role = roles_[i];
    const absl::string_view name = token.name(source_);
    const uint16_t traits = html_ ? HtmlTraits(name) : 0;
    if (role.splits) Finish();
    if (html_ && role.attributes_translated) AddAttributes(token);
    if (role.splits) return i + 1;
    if (html_ && absl::EqualsIgnoreCase(name, "br")) return LineBreak(i);
    const bool separates = (traits & kSeparates) != 0;
    const auto match = static_cast<size_t>(role.match >= 0 ? role.match : static_cast<int32_t>(i));
    if (role.hidden) {
      size_t last = match;
      if (role.match < 0 && i + 1 < tokens_.size() && tokens_[i + 1].kind == TokenKind::kRawText) last = i + 1;
      AddPoint(i, last, separates);
      return last + 1;
    }
    if (!role.has_content) {
      AddPoint(i, i, separates);
      return i + 1;
    }
    const bool whole = role.match >= 0 && splits_[match] == splits_[i];
    if (whole && role.outer_translated && !role.translated && wanted_[match] == wanted_[i + 1]) {
      AddKeptElement(i, match);
      return match + 1;
    }
    if (whole && html_ && role.translated) {
      if (absl::EqualsIgnoreCase(name, "a")) {
        if (IsAddress(i, match)) {
          AddKeptElement(i, match);
          return match + 1;
        }
        CutLinks();
        in_link_ = true;
      } else if (absl::EqualsIgnoreCase(name, "sup") && IsNote(i, match)) {
        AddPoint(i, match, false);
        return match + 1;
      }
    }
    AddTag(i, UnitTag::kOpen);
    return i + 1;
  }

  // A line break is within a sentence only if a small letter follows and nothing ended before.
  size_t LineBreak(size_t i) {
    bool within = false;
    const absl::string_view text(text_.text);
    const size_t end = TrimmedEnd(text);
    if (end > 0 && !EndsClause(CodePointBefore(text, static_cast<int32_t>(end)))) {
      for (size_t ahead = i + 1; ahead < tokens_.size() && ahead <= i + kMaxTokensAhead; ++ahead) {
        const MarkupToken& next = tokens_[ahead];
        if (next.kind == TokenKind::kText) {
          const UChar32 c = FirstCharacter(next);
          if (c < 0) continue;
          within = u_islower(c);
          break;
        }
        if (next.kind == TokenKind::kOther) continue;
        if (roles_[ahead].splits || !roles_[ahead].translated) break;
        const absl::string_view name = next.name(source_);
        if (absl::EqualsIgnoreCase(name, "br") || (HtmlTraits(name) & kVoid) != 0) break;
      }
    }
    if (!within) Finish();
    AddPoint(i, i, true);
    if (!within) Finish();
    return i + 1;
  }

  // What is to be read first of a text; negative if it is blank.
  UChar32 FirstCharacter(const MarkupToken& token) const {
    const absl::string_view text = token.text(source_);
    size_t at = 0;
    while (at < text.size() && IsMarkupSpace(text[at])) ++at;
    if (at == text.size()) return -1;
    if (text[at] == '&') {
      const auto reference = DecodeReference(text.substr(at, 64), ReferenceRules::kHtmlText);
      if (reference.has_value()) return CodePointAt(reference->text, 0);
    }
    return CodePointAt(text.substr(at, 8), 0);
  }

  // The text within tokens first to last, without markup, white space collapsed; nothing if it is longer than
  // `max_bytes`.
  std::optional<std::string> VisibleText(size_t first, size_t last, size_t max_bytes) const {
    UnitText visible;
    for (size_t i = first; i <= last; ++i) {
      const MarkupToken& token = tokens_[i];
      if (token.kind == TokenKind::kStartTag && roles_[i].hidden && roles_[i].match > 0) {
        i = std::min(last, static_cast<size_t>(roles_[i].match));
        continue;
      }
      if (token.kind == TokenKind::kCharacters) {
        absl::StrAppend(&visible.text, token.text(source_).substr(9, token.end - token.begin - 12));
      }
      if (token.kind != TokenKind::kText && token.kind != TokenKind::kPlainText) continue;
      const absl::string_view text = token.text(source_);
      for (size_t at = 0; at < text.size();) {
        if (visible.text.size() > max_bytes) return std::nullopt;
        if (IsMarkupSpace(text[at])) {
          visible.space = " ";
          ++at;
          continue;
        }
        visible.Flush();
        if (text[at] == '&') {
          const auto reference = DecodeReference(text.substr(at, 512), rules());
          if (reference.has_value()) {
            visible.text += reference->text;
            at += reference->size;
            continue;
          }
        }
        visible.text.push_back(text[at++]);
      }
    }
    if (visible.text.size() > max_bytes) return std::nullopt;
    // Of white space in references, too.
    size_t begin = 0;
    while (begin < visible.text.size()) {
      auto next = static_cast<int32_t>(begin);
      if (!IsSpace(NextCodePoint(visible.text, next))) break;
      begin = static_cast<size_t>(next);
    }
    visible.text.resize(std::max(begin, TrimmedEnd(visible.text)));
    return visible.text.substr(begin);
  }

  bool IsAddress(size_t first, size_t last) const {
    if (last - first > kMaxAddressTokens || tokens_[last].begin - tokens_[first].end > kMaxAddressBytes) return false;
    const std::optional<std::string> text = VisibleText(first, last, kMaxAddressBytes);
    if (!text.has_value() || text->size() < 2 || text->find(' ') != std::string::npos) return false;
    if ((*text)[0] == '#' || (*text)[0] == '@') return true;
    const std::vector<TextRange> addresses = FindAddresses(*text);
    return addresses.size() == 1 && addresses[0] == TextRange{0, text->size()};
  }

  // The mark of a footnote, which stands behind a word and is none: <sup><a href="#1">[1]</a></sup>.
  bool IsNote(size_t first, size_t last) const {
    if (text_.text.empty() || !text_.space.empty() || last - first > kMaxNoteTokens) return false;
    const UChar32 before = CodePointBefore(text_.text, static_cast<int32_t>(text_.text.size()));
    if (u_isdigit(before) || IsSpace(before)) return false;
    const std::optional<std::string> text = VisibleText(first, last, kMaxNoteBytes);
    if (!text.has_value() || text->empty()) return false;
    for (int32_t i = 0; i < static_cast<int32_t>(text->size());) {
      const UChar32 c = NextCodePoint(*text, i);
      if (IsLetter(c) || IsSpace(c)) return false;
    }
    return true;
  }

  ReferenceRules rules() const { return html_ ? ReferenceRules::kHtmlText : ReferenceRules::kXml; }

  void AddText(const MarkupToken& token, bool preserves) {
    const absl::string_view text = token.text(source_);
    for (size_t at = 0; at < text.size();) {
      const char c = text[at];
      const uint32_t begin = token.begin + static_cast<uint32_t>(at);
      if (IsMarkupSpace(c)) {
        if (preserves && (c == '\n' || c == '\r')) Finish();
        AddSpace(preserves ? text.substr(at, 1) : " ");
        ++at;
        continue;
      }
      if (c == '&') {
        const auto reference = DecodeReference(text.substr(at, 512), rules());
        const size_t entity = reference.has_value() || html_ ? 0 : EntityReferenceSize(text.substr(at));
        if (entity > 0) {
          AddKept(std::string(text.substr(at, entity)), begin, begin + static_cast<uint32_t>(entity));
          at += entity;
          continue;
        }
        if (reference.has_value() && reference->text.size() == 1 && IsMarkupSpace(reference->text[0])) {
          AddSpace(" ");
          at += reference->size;
          continue;
        }
        if (reference.has_value()) {
          const absl::string_view spelled = text.substr(at, reference->size);
          AddCharacters(reference->text, begin, begin + static_cast<uint32_t>(spelled.size()));
          plan_.spelling.AddReference(reference->text, spelled);
          at += spelled.size();
          continue;
        }
      }
      if (c == '&' || c == '<' || c == '>') {
        plan_.spelling.AddPlain(c);
        AddCharacters(text.substr(at, 1), begin, begin + 1);
        ++at;
        continue;
      }
      size_t end = at + 1;
      while (end < text.size() && !IsMarkupSpace(text[end]) && text[end] != '&' && text[end] != '<' && text[end] != '>')
        ++end;
      AddCharacters(text.substr(at, end - at), begin, token.begin + static_cast<uint32_t>(end));
      at = end;
    }
  }

  // Text that is not translated, within a sentence.
  void AddKeptText(const MarkupToken& token) {
    const absl::string_view text = token.text(source_);
    size_t begin = 0, end = text.size();
    while (begin < end && IsMarkupSpace(text[begin])) ++begin;
    while (end > begin && IsMarkupSpace(text[end - 1])) --end;
    if (begin > 0) AddSpace(" ");
    if (begin == end) return;
    const auto index = static_cast<size_t>(&token - tokens_.data());
    const uint32_t from = token.begin + static_cast<uint32_t>(begin), to = token.begin + static_cast<uint32_t>(end);
    // "<" or "&" may be text only because of what is behind it: then it is spelled again.
    const absl::string_view shown = text.substr(begin, end - begin);
    const size_t reference = shown.rfind('&');
    const bool is_safe =
        !html_ || (shown.find('<') == kNotFound && (reference == kNotFound || shown.find(';', reference) != kNotFound));
    const std::optional<std::string> visible = VisibleText(index, index, is_safe ? kMaxKeptBytes : text.size());
    if (visible.has_value() && !visible->empty()) {
      is_safe ? AddKept(*visible, from, to) : AddSpelled(*visible, from, to);
    } else {
      AddPointAt(from, to, true);
    }
    if (end < text.size()) AddSpace(" ");
  }

  void AddSpace(absl::string_view space) {
    for (size_t i = tags_behind_text_; i < tags_.size(); ++i) {
      tags_[i].space_behind = true;
      tags_[i].glued = false;
    }
    tags_behind_text_ = tags_.size();
    after_space_ = true;
    if (space != " " || text_.space.empty() || text_.space.back() != ' ') {
      // White space before a tag is in the text already.
      if (space == " " && text_.space.empty() && !text_.text.empty() && text_.text.back() == ' ') return;
      absl::StrAppend(&text_.space, space);
    }
  }

  // Characters as a reader sees them, which are source_[begin, end).
  void AddCharacters(absl::string_view text, uint32_t begin, uint32_t end) {
    const size_t shown_end = TrimmedEnd(text);
    size_t shown_begin = 0;
    for (int32_t next = 0; shown_begin < shown_end; shown_begin = static_cast<size_t>(next)) {
      if (!IsSpace(NextCodePoint(text, next))) break;
    }
    // What is no markup's white space, but blank all the same: U+00A0. As it is, if something follows.
    absl::StrAppend(&text_.space, text.substr(0, shown_end == 0 ? text.size() : shown_begin));
    if (shown_end == 0) {
      after_space_ = false;
      return;
    }
    const bool plain = text.size() == end - begin;  // each byte is one of the source
    const uint32_t first = plain ? begin + static_cast<uint32_t>(shown_begin) : begin;
    const uint32_t behind = plain ? begin + static_cast<uint32_t>(shown_end) : end;
    text_.Flush();
    absl::StrAppend(&text_.text, text.substr(shown_begin, shown_end - shown_begin));
    text_.space = std::string(text.substr(shown_end));
    if (!in_link_ && !letters_outside_links_) letters_outside_links_ = HasLetterOutside(text, {});
    ShownAt(first, behind);
  }

  // Something to read has been added, which is source_[begin, end).
  void ShownAt(uint32_t begin, uint32_t end) {
    if (!has_shown_) {
      shown_begin_ = begin;
      first_shown_tag_ = tags_.size();
    }
    has_shown_ = true;
    shown_end_ = end;
    tags_at_shown_end_ = tags_.size();
    after_space_ = false;
    tags_behind_text_ = tags_.size();
  }

  // A kept range, which comes back as source_[begin, end).
  void AddKept(const std::string& visible, uint32_t begin, uint32_t end) {
    text_.Flush();
    const size_t at = text_.text.size();
    text_.text += visible;
    unit_.kept.push_back({at, text_.text.size()});
    plan_.kept.push_back({begin, end, false});
    ShownAt(begin, end);
  }

  // A kept range, which comes back as its text.
  void AddSpelled(const std::string& visible, uint32_t begin, uint32_t end) {
    AddKept(visible, begin, end);
    plan_.kept.back() = {};
  }

  void AddKeptElement(size_t first, size_t last) {
    const std::optional<std::string> visible = VisibleText(first, last, kMaxKeptBytes);
    if (!visible.has_value() || visible->empty()) {
      AddPoint(first, last, !visible.has_value());
      return;
    }
    const bool space_before = after_space_ || !has_shown_;
    AddKept(*visible, tokens_[first].begin, tokens_[last].end);
    plan_.kept.back().is_element = true;
    UnitTag tag{.kind = UnitTag::kKept, .space_before = space_before};
    tag.at = static_cast<uint32_t>(unit_.kept.back().begin);
    tag.begin = tokens_[first].begin;
    tag.end = tokens_[last].end;
    tag.kept = static_cast<int32_t>(unit_.kept.size()) - 1;
    tags_.push_back(tag);
    tags_at_shown_end_ = tags_.size();
  }

  void AddTag(size_t i, UnitTag::Kind kind) {
    text_.Flush();
    UnitTag tag{.kind = kind, .space_before = after_space_ || !has_shown_};
    tag.at = static_cast<uint32_t>(text_.text.size());
    tag.begin = tokens_[i].begin;
    tag.end = tokens_[i].end;
    tag_of_[i] = static_cast<int32_t>(tags_.size());
    if (kind == UnitTag::kClose && roles_[i].match >= 0) {
      const int32_t partner = tag_of_[static_cast<size_t>(roles_[i].match)];
      if (partner >= 0 && static_cast<size_t>(partner) < tags_.size() &&
          tags_[static_cast<size_t>(partner)].begin == tokens_[static_cast<size_t>(roles_[i].match)].begin) {
        tag.partner = partner;
        tags_[static_cast<size_t>(partner)].partner = tag_of_[i];
      }
    }
    tags_.push_back(tag);
  }

  // Tokens first to last. `separates`: what is before them and behind is never one word.
  void AddPoint(size_t first, size_t last, bool separates) {
    AddPointAt(tokens_[first].begin, tokens_[last].end, separates);
  }
  void AddPointAt(uint32_t begin, uint32_t end, bool separates) {
    text_.Flush();
    UnitTag tag{.kind = UnitTag::kPoint, .space_before = after_space_ || !has_shown_};
    tag.at = static_cast<uint32_t>(text_.text.size());
    tag.begin = begin;
    tag.end = end;
    if (separates && !after_space_ && !text_.text.empty() && text_.text.back() != ' ') {
      tag.glued = true;
      text_.space = " ";
    }
    tags_.push_back(tag);
  }

  // The end of a link, where the unit ends if only links follow.
  void RememberLink() {
    in_link_ = false;
    link_ = {text_.text.size(), tags_.size(), tags_at_shown_end_, unit_.kept.size(), shown_end_, has_shown_};
  }

  // Before a link. Links side by side are no sentence, unless there are words beside them.
  void CutLinks() {
    if (!link_.valid) return;
    const absl::string_view between = absl::string_view(text_.text).substr(link_.text_size);
    for (int32_t i = 0; i < static_cast<int32_t>(between.size());) {
      const UChar32 c = NextCodePoint(between, i);
      if (!IsSpace(c) && !SeparatesLinks(c)) return;
    }
    const bool abut = between.empty() && text_.space.empty();
    if (!abut && letters_outside_links_) return;
    text_.text.resize(link_.text_size);
    text_.space.clear();
    tags_.resize(link_.tags);
    tags_at_shown_end_ = link_.tags_at_shown_end;
    unit_.kept.resize(link_.kept);
    plan_.kept.resize(link_.kept);
    shown_end_ = link_.shown_end;
    Finish();
  }

  void AddAttributes(const MarkupToken& tag) {
    const absl::string_view element = tag.name(source_);
    const bool input = absl::EqualsIgnoreCase(element, "input"), meta = absl::EqualsIgnoreCase(element, "meta");
    bool readable_value = false;
    if (input || meta) {
      AttributeReader attributes(source_, tag.name_end);
      for (MarkupAttribute attribute; attributes.Next(attribute);) {
        const absl::string_view value =
            source_.substr(attribute.value_begin, attribute.value_end - attribute.value_begin);
        if (input && absl::EqualsIgnoreCase(attribute.name, "type")) readable_value |= IsReadableValue(value);
        if (meta &&
            (absl::EqualsIgnoreCase(attribute.name, "name") || absl::EqualsIgnoreCase(attribute.name, "property"))) {
          readable_value |= IsReadableContent(value);
        }
      }
    }
    AttributeReader attributes(source_, tag.name_end);
    for (MarkupAttribute attribute; attributes.Next(attribute);) {
      if (!attribute.has_value) continue;
      const bool readable = IsReadableAttribute(element, attribute.name) ||
                            (readable_value && absl::EqualsIgnoreCase(attribute.name, input ? "value" : "content"));
      if (readable) AddAttribute(attribute);
    }
  }

  void AddAttribute(const MarkupAttribute& attribute) {
    UnitPlan plan;
    plan.place = UnitPlan::kAttribute;
    plan.rules = ReferenceRules::kHtmlAttribute;
    plan.quote = attribute.quote;
    plan.begin = static_cast<uint32_t>(attribute.value_begin);
    plan.end = static_cast<uint32_t>(attribute.value_end);
    UnitText value;
    const absl::string_view spelled =
        source_.substr(attribute.value_begin, attribute.value_end - attribute.value_begin);
    for (size_t at = 0; at < spelled.size();) {
      if (IsMarkupSpace(spelled[at])) {
        value.space = " ";
        ++at;
        continue;
      }
      value.Flush();
      if (spelled[at] == '&') {
        const auto reference = DecodeReference(spelled.substr(at, 512), ReferenceRules::kHtmlAttribute);
        if (reference.has_value()) {
          value.text += reference->text;
          plan.spelling.AddReference(reference->text, spelled.substr(at, reference->size));
          at += reference->size;
          continue;
        }
        plan.spelling.AddPlain('&');
      }
      value.text.push_back(spelled[at++]);
    }
    AddPlainUnit(std::move(value.text), std::move(plan));
  }

  // A unit without markup.
  void AddPlainUnit(std::string text, UnitPlan plan) {
    MarkupUnit unit;
    size_t begin = 0;
    while (begin < text.size()) {
      auto next = static_cast<int32_t>(begin);
      if (!IsSpace(NextCodePoint(text, next))) break;
      begin = static_cast<size_t>(next);
    }
    text.resize(std::max(begin, TrimmedEnd(text)));
    unit.text = text.substr(begin);
    Keep(unit, plan);
    if (!HasLetterOutside(unit.text, unit.kept)) return;
    cut_.units.push_back(std::move(unit));
    cut_.plans.push_back(std::move(plan));
  }

  // The content of <![CDATA[...]]>, which is a unit of its own.
  void AddCharacterData(const MarkupToken& token) {
    UnitPlan plan;
    plan.place = UnitPlan::kCharacters;
    plan.rules = ReferenceRules::kXml;
    plan.begin = token.begin + 9;
    plan.end = token.end - 3;
    absl::string_view inner = source_.substr(plan.begin, plan.end - plan.begin);
    const absl::string_view stripped = absl::StripAsciiWhitespace(inner);
    plan.begin += static_cast<uint32_t>(stripped.data() - inner.data());
    plan.end = plan.begin + static_cast<uint32_t>(stripped.size());
    UnitText value;
    for (const char c : stripped) {
      if (IsMarkupSpace(c)) {
        value.space = " ";
        continue;
      }
      value.Flush();
      value.text.push_back(c);
    }
    AddPlainUnit(std::move(value.text), std::move(plan));
  }

  // Adds placeholders and addresses to what is kept.
  void Keep(MarkupUnit& unit, UnitPlan& plan) const {
    std::vector<TextRange> found = FindPlaceholders(unit.text);
    const size_t placeholders = found.size();
    const std::vector<TextRange> addresses = FindAddresses(unit.text);
    found.insert(found.end(), addresses.begin(), addresses.end());
    if (found.empty()) return;
    const auto before = [](const TextRange& a, const TextRange& b) { return a.begin < b.begin; };
    std::inplace_merge(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(placeholders), found.end(), before);
    std::vector<TextRange> kept;
    std::vector<KeptPart> parts;
    std::vector<int32_t> moved(unit.kept.size());
    size_t next = 0, tag = 0, end = 0;
    const auto take = [&] {
      moved[next] = static_cast<int32_t>(kept.size());
      end = unit.kept[next].end;
      kept.push_back(unit.kept[next]);
      parts.push_back(plan.kept[next]);
      ++next;
    };
    for (const TextRange& range : found) {
      while (next < unit.kept.size() && unit.kept[next].begin < range.end) take();
      if (range.begin < end) continue;
      while (tag < plan.tags.size() && plan.tags[tag].at <= range.begin) ++tag;
      if (tag < plan.tags.size() && plan.tags[tag].at < range.end) continue;  // a tag is within it
      kept.push_back(range);
      parts.push_back({});
      end = range.end;
    }
    while (next < unit.kept.size()) take();
    for (UnitTag& one : plan.tags) {
      if (one.kept >= 0) one.kept = moved[static_cast<size_t>(one.kept)];
    }
    unit.kept = std::move(kept);
    plan.kept = std::move(parts);
  }

  // Ends the unit, if there is one.
  void Finish() {
    if (has_shown_) {
      text_.text.resize(TrimmedEnd(text_.text));
      unit_.text = std::move(text_.text);
      TakeTags();
      Keep(unit_, plan_);
      if (HasLetterOutside(unit_.text, unit_.kept)) {
        plan_.rules = rules();
        cut_.units.push_back(std::move(unit_));
        cut_.plans.push_back(std::move(plan_));
      }
    }
    text_ = {};
    unit_ = {};
    plan_ = {};
    tags_.clear();
    link_ = {};
    has_shown_ = after_space_ = in_link_ = letters_outside_links_ = false;
    tags_behind_text_ = tags_at_shown_end_ = first_shown_tag_ = 0;
  }

  // Gives the unit its tags, without those at its ends that are around all of it, or beside it.
  void TakeTags() {
    const size_t first = first_shown_tag_, last = tags_at_shown_end_;  // those between have text on both sides
    const auto within = [&](int32_t tag) {
      return tag >= static_cast<int32_t>(first) && tag < static_cast<int32_t>(last);
    };
    size_t begin = 0;
    for (; begin < first; ++begin) {
      if (tags_[begin].kind == UnitTag::kOpen && within(tags_[begin].partner)) break;
    }
    size_t end = tags_.size();
    for (; end > last; --end) {
      const UnitTag& tag = tags_[end - 1];
      if (tag.kind == UnitTag::kClose && tag.partner >= static_cast<int32_t>(begin) &&
          tag.partner < static_cast<int32_t>(last))
        break;
    }
    plan_.tags.assign(tags_.begin() + static_cast<std::ptrdiff_t>(begin),
                      tags_.begin() + static_cast<std::ptrdiff_t>(end));
    for (UnitTag& tag : plan_.tags) {
      tag.at = std::min(tag.at, static_cast<uint32_t>(unit_.text.size()));
      const int32_t partner = tag.partner;
      tag.partner = partner >= static_cast<int32_t>(begin) && partner < static_cast<int32_t>(end)
                        ? partner - static_cast<int32_t>(begin)
                        : -1;
    }
    plan_.begin = begin < first ? std::min(shown_begin_, tags_[begin].begin) : shown_begin_;
    plan_.end = end > last ? std::max(shown_end_, tags_[end - 1].end) : shown_end_;
  }

  struct Link {
    size_t text_size = 0, tags = 0, tags_at_shown_end = 0, kept = 0;
    uint32_t shown_end = 0;
    bool valid = false;
  };

  const absl::string_view source_;
  const bool html_;
  const std::vector<MarkupToken>& tokens_;
  const std::vector<TokenRole>& roles_;
  std::vector<int32_t> tag_of_;            // of a token: its place in tags_, if it is there
  std::vector<uint32_t> splits_, wanted_;  // before a token: tags that split; elements that are translated after all

  // The unit in the making.
  MarkupUnit unit_;
  UnitPlan plan_;
  UnitText text_;
  std::vector<UnitTag> tags_;
  bool has_shown_ = false;        // something to read
  bool after_space_ = false;      // the source's last character was white space
  size_t tags_behind_text_ = 0;   // tags from here on have nothing behind them yet
  size_t first_shown_tag_ = 0;    // tags before it are before the first thing to read
  size_t tags_at_shown_end_ = 0;  // tags from here on are behind the last thing to read
  uint32_t shown_begin_ = 0, shown_end_ = 0;
  Link link_;  // the last one that ended
  bool in_link_ = false, letters_outside_links_ = false;
  CutUnits cut_;
};

}  // namespace

CutUnits CutIntoUnits(absl::string_view source, MarkupKind kind, const std::vector<MarkupToken>& tokens,
                      const std::vector<TokenRole>& roles) {
  return UnitCutter(source, kind, tokens, roles).Cut();
}

}  // namespace heed
