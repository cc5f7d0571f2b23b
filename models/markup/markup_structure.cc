// SPDX-License-Identifier: Apache-2.0
#include "models/markup/markup_structure.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "models/markup/html_elements.h"

namespace heed {
namespace {

using Names = absl::flat_hash_set<std::string>;

Names SetOf(const std::vector<std::string>& names, bool lower) {
  Names set;
  for (const std::string& name : names) set.insert(lower ? absl::AsciiStrToLower(name) : name);
  return set;
}

// What the attributes of a tag say about translation; nothing if they say nothing.
std::optional<bool> TranslateAttribute(absl::string_view source, const MarkupToken& tag, bool html, bool& preserves) {
  std::optional<bool> by_attribute;
  bool by_class = false;
  AttributeReader attributes(source, tag.name_end);
  for (MarkupAttribute attribute; attributes.Next(attribute);) {
    const absl::string_view value = source.substr(attribute.value_begin, attribute.value_end - attribute.value_begin);
    if (html ? absl::EqualsIgnoreCase(attribute.name, "translate")
             : attribute.name == "translate" || attribute.name == "its:translate") {
      if (absl::EqualsIgnoreCase(value, "no")) by_attribute = by_attribute.value_or(false);
      if (absl::EqualsIgnoreCase(value, "yes") || value.empty()) by_attribute = by_attribute.value_or(true);
    } else if (html && absl::EqualsIgnoreCase(attribute.name, "class")) {
      for (const absl::string_view name : absl::StrSplit(value, absl::ByAnyChar(" \n\t\r\f"))) {
        by_class =
            by_class || absl::EqualsIgnoreCase(name, "notranslate") || absl::EqualsIgnoreCase(name, "skiptranslate");
      }
    } else if (!html && attribute.name == "xml:space") {
      preserves = value == "preserve";
    }
  }
  if (!by_attribute.has_value() && by_class) return false;
  return by_attribute;
}

// The elements that are open, as browsers close them, as far as that decides what is translated.
class HtmlRoleFinder {
 public:
  HtmlRoleFinder(absl::string_view source, const std::vector<MarkupToken>& tokens, const MarkupRules& rules)
      : source_(source),
        tokens_(tokens),
        roles_(tokens.size()),
        ignored_(SetOf(rules.ignored, true)),
        splitting_(SetOf(rules.splitting, true)),
        inlined_(SetOf(rules.inlined, true)) {}

  std::vector<TokenRole> Find() {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      TokenRole& role = roles_[i];
      role.translated = role.outer_translated = translated();
      role.preserves = !open_.empty() && open_.back().preserves;
      if (tokens_[i].kind == TokenKind::kStartTag) Start(i, role);
      if (tokens_[i].kind == TokenKind::kEndTag) End(i, role);
    }
    return std::move(roles_);
  }

 private:
  struct Open {
    size_t token;
    int32_t name;
    bool translated, preserves;
    bool closed = false;  // an inline element that was closed while others within it were open
  };

  bool translated() const { return open_.empty() || open_.back().translated; }

  bool Splits(const std::string& name, uint16_t traits) const {
    if (inlined_.contains(name)) return false;
    return (traits & kBlock) != 0 || splitting_.contains(name);
  }

  void Start(size_t i, TokenRole& role) {
    const MarkupToken& tag = tokens_[i];
    const std::string name = absl::AsciiStrToLower(tag.name(source_));
    const uint16_t traits = HtmlTraits(name);
    CloseImplied(name, traits);
    role.splits = Splits(name, traits);
    role.outer_translated = translated();
    bool preserves =
        (!open_.empty() && open_.back().preserves) || name == "pre" || name == "textarea" || name == "listing";
    const std::optional<bool> own = TranslateAttribute(source_, tag, true, preserves);
    role.attributes_translated = own.value_or(role.outer_translated);
    role.translated = own.value_or(role.outer_translated && (traits & kUntranslated) == 0);
    if (ignored_.contains(name)) role.translated = own.value_or(false);
    role.hidden = (traits & kHidden) != 0;
    role.has_content = (traits & kVoid) == 0 && !(tag.self_closing && (traits & kBlock) == 0);
    if (!role.has_content) return;
    const int32_t id = names_.emplace(name, static_cast<int32_t>(places_.size())).first->second;
    if (static_cast<size_t>(id) == places_.size()) places_.emplace_back();
    places_[static_cast<size_t>(id)].push_back(static_cast<int32_t>(open_.size()));
    if ((traits & kScope) != 0) scopes_.push_back(static_cast<int32_t>(open_.size()));
    open_.push_back({i, id, role.translated, preserves});
  }

  void End(size_t i, TokenRole& role) {
    const std::string name = absl::AsciiStrToLower(tokens_[i].name(source_));
    role.splits = Splits(name, HtmlTraits(name));
    const int32_t place = Last(name);
    if (place < 0) return;
    const Open& element = open_[static_cast<size_t>(place)];
    role.match = static_cast<int32_t>(element.token);
    roles_[element.token].match = static_cast<int32_t>(i);
    if (role.splits) {
      PopTo(place);
    } else {
      CloseInline(place);
    }
  }

  // What is open within it stays open.
  void CloseInline(int32_t place) {
    Open& element = open_[static_cast<size_t>(place)];
    places_[static_cast<size_t>(element.name)].pop_back();
    element.closed = true;
    while (!open_.empty() && open_.back().closed) PopTo(static_cast<int32_t>(open_.size()) - 1);
  }

  // The place of the innermost open element of this name; -1: none is open.
  int32_t Last(absl::string_view name) const {
    const auto found = names_.find(name);
    if (found == names_.end() || places_[static_cast<size_t>(found->second)].empty()) return -1;
    return places_[static_cast<size_t>(found->second)].back();
  }
  int32_t Last(std::initializer_list<const char*> names) const {
    int32_t last = -1;
    for (const char* name : names) last = std::max(last, Last(name));
    return last;
  }

  void PopTo(int32_t place) {
    while (static_cast<int32_t>(open_.size()) > place) {
      if (!open_.back().closed) places_[static_cast<size_t>(open_.back().name)].pop_back();
      open_.pop_back();
      if (!scopes_.empty() && scopes_.back() == static_cast<int32_t>(open_.size())) scopes_.pop_back();
    }
  }

  // Ends the outermost open element of `names` that is not outside of one of `around`.
  void Close(std::initializer_list<const char*> names, std::initializer_list<const char*> around) {
    const int32_t limit = Last(around);
    int32_t place = -1;
    for (const char* name : names) {
      const int32_t last = Last(name);
      if (last > limit && (place < 0 || last < place)) place = last;
    }
    if (place >= 0) PopTo(place);
  }

  void CloseImplied(const std::string& name, uint16_t traits) {
    if ((traits & kLeavesForeign) != 0) {
      const int32_t foreign = Last({"svg", "math"});
      if (foreign > Last({"foreignobject", "annotation-xml"})) PopTo(foreign);
    }
    if ((traits & kClosesParagraph) != 0) {
      const int32_t paragraph = Last("p");
      if (paragraph >= 0 && (scopes_.empty() || paragraph > scopes_.back())) PopTo(paragraph);
    }
    if (name == "li") Close({"li"}, {"ul", "ol", "menu", "dir", "table"});
    if (name == "dt" || name == "dd") Close({"dt", "dd"}, {"dl", "table"});
    if (name == "option") Close({"option"}, {"select", "datalist"});
    if (name == "optgroup") Close({"option", "optgroup"}, {"select"});
    if (name == "td" || name == "th") Close({"td", "th"}, {"tr", "table"});
    if (name == "tr") Close({"tr", "td", "th", "caption", "colgroup"}, {"table"});
    if (name == "tbody" || name == "thead" || name == "tfoot") {
      Close({"tbody", "thead", "tfoot", "tr", "td", "th", "caption", "colgroup"}, {"table"});
    }
    if (name == "rt" || name == "rp") Close({"rt", "rp"}, {"ruby"});
    if (name == "body") Close({"head"}, {"html"});
    if (name == "button") Close({"button"}, {"table"});
    if (name == "a" && Last("a") > Last({"table", "td", "th", "button", "object"})) CloseInline(Last("a"));
  }

  const absl::string_view source_;
  const std::vector<MarkupToken>& tokens_;
  std::vector<TokenRole> roles_;
  const Names ignored_, splitting_, inlined_;
  std::vector<Open> open_;
  std::vector<int32_t> scopes_;  // places in open_
  absl::flat_hash_map<std::string, int32_t> names_;
  std::vector<std::vector<int32_t>> places_;  // of each name, the places in open_, ascending
};

}  // namespace

std::vector<TokenRole> HtmlRoles(absl::string_view source, const std::vector<MarkupToken>& tokens,
                                 const MarkupRules& rules) {
  return HtmlRoleFinder(source, tokens, rules).Find();
}

std::vector<TokenRole> XmlRoles(absl::string_view source, const std::vector<MarkupToken>& tokens,
                                const MarkupRules& rules) {
  const Names ignored = SetOf(rules.ignored, false), splitting = SetOf(rules.splitting, false),
              inlined = SetOf(rules.inlined, false);
  struct Element {
    size_t parent = 0;  // in `elements`
    size_t token = 0;
    bool translated = true, preserves = false;
    bool has_text = false;
    int children = 0;
    bool splits = true;
  };
  std::vector<Element> elements(1);  // the first is around everything
  std::vector<TokenRole> roles(tokens.size());
  size_t open = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const MarkupToken& token = tokens[i];
    TokenRole& role = roles[i];
    role.translated = role.outer_translated = elements[open].translated;
    role.preserves = elements[open].preserves;
    if (token.kind == TokenKind::kText) {
      const absl::string_view text = token.text(source);
      elements[open].has_text |= !std::all_of(text.begin(), text.end(), IsMarkupSpace);
    } else if (token.kind == TokenKind::kStartTag) {
      ++elements[open].children;
      Element element{.parent = open, .token = i, .preserves = role.preserves};
      const std::optional<bool> own = TranslateAttribute(source, token, false, element.preserves);
      role.translated = own.value_or(role.outer_translated && !ignored.contains(token.name(source)));
      role.has_content = !token.self_closing;
      element.translated = role.translated;
      elements.push_back(element);
      if (role.has_content) open = elements.size() - 1;
    } else if (token.kind == TokenKind::kEndTag) {
      role.match = static_cast<int32_t>(elements[open].token);
      roles[elements[open].token].match = static_cast<int32_t>(i);
      open = elements[open].parent;
    }
  }
  for (size_t i = 1; i < elements.size(); ++i) {
    Element& element = elements[i];
    const Element& parent = elements[element.parent];
    const absl::string_view name = tokens[element.token].name(source);
    if (inlined.contains(name)) {
      element.splits = false;
    } else if (splitting.contains(name)) {
      element.splits = true;
    } else {
      element.splits = rules.detect_structure && !parent.has_text && (parent.splits || parent.children > 1);
    }
    roles[element.token].splits = element.splits;
    if (roles[element.token].match >= 0) roles[static_cast<size_t>(roles[element.token].match)].splits = element.splits;
  }
  return roles;
}

}  // namespace heed
