// SPDX-License-Identifier: Apache-2.0
#include "models/markup/xml_scanner.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "models/markup/character_references.h"

namespace heed {
namespace {

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

bool IsNameStart(char c) {
  return absl::ascii_isalpha(c) || c == '_' || c == ':' || static_cast<unsigned char>(c) >= 0x80;
}
bool IsNameCharacter(char c) { return IsNameStart(c) || absl::ascii_isdigit(c) || c == '-' || c == '.'; }
bool IsXmlSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class XmlScanner {
 public:
  explicit XmlScanner(absl::string_view source) : source_(source) {}

  absl::StatusOr<std::vector<MarkupToken>> Scan() {
    HEED_RETURN_IF_ERROR(CheckCharacters());
    if (absl::StartsWith(source_, kByteOrderMark)) Add(kByteOrderMark.size(), TokenKind::kOther);
    start_ = at_;
    while (at_ < source_.size()) HEED_RETURN_IF_ERROR(source_[at_] == '<' ? Markup() : Text());
    if (!open_.empty()) {
      const MarkupToken& tag = tokens_[open_.back()];
      return Error(at_, "expected </", Excerpt(tag.name(source_), 64), "> for the element that begins at ",
                   Place(tag.begin));
    }
    return std::move(tokens_);
  }

 private:
  absl::Status CheckCharacters() const {
    for (size_t i = 0; i < source_.size(); ++i) {
      const auto c = static_cast<unsigned char>(source_[i]);
      if (c >= 0x20 && c != 0xef) continue;
      const bool is_none =
          c == 0xef && source_.substr(i, 2) == "\xef\xbf" && static_cast<unsigned char>(At(i + 2)) >= 0xbe;
      if (is_none || (c < 0x20 && !IsXmlSpace(source_[i]))) return Error(i, "expected a character that XML allows");
    }
    return absl::OkStatus();
  }

  absl::Status Text() {
    const size_t end = std::min(source_.find('<', at_), source_.size());
    HEED_RETURN_IF_ERROR(CheckReferences(at_, end));
    const size_t closing = source_.substr(at_, end - at_).find("]]>");
    if (closing != kNotFound) return Error(at_ + closing, "expected \"]]&gt;\" instead of \"]]>\" in text");
    Add(end, TokenKind::kText);
    return absl::OkStatus();
  }

  absl::Status CheckReferences(size_t begin, size_t end) const {
    const absl::string_view text = source_.substr(0, end);
    for (size_t i = text.find('&', begin); i != kNotFound; i = text.find('&', i + 1)) {
      const absl::string_view rest = text.substr(i);
      if (!DecodeReference(rest, ReferenceRules::kXml).has_value() && EntityReferenceSize(rest) == 0) {
        return Error(i, "expected a reference like \"&amp;\" behind \"&\"");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Markup() {
    const absl::string_view rest = source_.substr(at_);
    if (absl::StartsWith(rest, "</")) return EndTag();
    if (absl::StartsWith(rest, "<?")) return Instruction();
    if (absl::StartsWith(rest, "<!--")) return Comment();
    if (absl::StartsWith(rest, "<![CDATA[")) return Delimited("]]>", at_ + 9, TokenKind::kCharacters);
    if (absl::StartsWith(rest, "<!DOCTYPE")) return DocumentType();
    if (IsNameStart(At(at_ + 1))) return StartTag();
    return Error(at_, "expected a tag behind \"<\", or \"&lt;\" instead of it");
  }

  absl::Status Delimited(absl::string_view mark, size_t from, TokenKind kind) {
    const size_t found = source_.find(mark, from);
    if (found == kNotFound) return Error(source_.size(), "expected \"", mark, "\" for what begins at ", Place(at_));
    Add(found + mark.size(), kind);
    return absl::OkStatus();
  }

  absl::Status Comment() {
    const size_t dashes = source_.find("--", at_ + 4);
    if (dashes != kNotFound && At(dashes + 2) != '>')
      return Error(dashes, "expected \"-->\" behind \"--\" in a comment");
    return Delimited("-->", at_ + 4, TokenKind::kOther);
  }

  absl::Status Instruction() {
    const size_t name_end = NameEnd(at_ + 2);
    const absl::string_view name = source_.substr(at_ + 2, name_end - at_ - 2);
    if (name.empty()) return Error(at_ + 2, "expected the name of a processing instruction");
    if (absl::EqualsIgnoreCase(name, "xml") && at_ != start_) return Error(at_, "expected <?xml only at the beginning");
    return Delimited("?>", name_end, TokenKind::kOther);
  }

  absl::Status DocumentType() {
    if (has_elements_ || has_type_) return Error(at_, "expected one document type, before the first element");
    has_type_ = true;
    bool in_subset = false;
    for (size_t i = at_ + 9; i < source_.size();) {
      const char c = source_[i];
      const absl::string_view mark = c == '"' ? "\"" : c == '\'' ? "'" : "";
      if (!mark.empty() || (in_subset && c == '<')) {
        const bool comment = absl::StartsWith(source_.substr(i), "<!--");
        const bool instruction = absl::StartsWith(source_.substr(i), "<?");
        if (mark.empty() && !comment && !instruction) {
          ++i;
          continue;
        }
        const absl::string_view close = comment ? "-->" : instruction ? "?>" : mark;
        const size_t found = source_.find(close, i + (comment ? 4 : 1));
        if (found == kNotFound) return Error(source_.size(), "expected ", close, " for what begins at ", Place(i));
        i = found + close.size();
        continue;
      }
      if (c == '[') in_subset = true;
      if (c == ']') in_subset = false;
      ++i;
      if (c == '>' && !in_subset) {
        Add(i, TokenKind::kOther);
        return absl::OkStatus();
      }
    }
    return Error(source_.size(), "expected \">\" for the document type that begins at ", Place(at_));
  }

  absl::Status StartTag() {
    const size_t name_end = NameEnd(at_ + 1);
    size_t i = name_end;
    names_.clear();
    while (true) {
      const size_t before = i;
      while (IsXmlSpace(At(i))) ++i;
      if (At(i) == '>' || (At(i) == '/' && At(i + 1) == '>')) break;
      if (!IsNameStart(At(i))) return Error(i, "expected an attribute, \">\" or \"/>\" in <", TagName(name_end), ">");
      if (i == before) return Error(i, "expected white space before an attribute");
      HEED_RETURN_IF_ERROR(Attribute(i));
    }
    has_elements_ = true;
    const bool empty = At(i) == '/';
    Add(i + (empty ? 2 : 1), TokenKind::kStartTag);
    tokens_.back().name_end = static_cast<uint32_t>(name_end);
    tokens_.back().self_closing = empty;
    if (!empty) open_.push_back(tokens_.size() - 1);
    return absl::OkStatus();
  }

  // The attribute at i, which moves behind it.
  absl::Status Attribute(size_t& i) {
    const size_t begin = i;
    i = NameEnd(i);
    const absl::string_view name = source_.substr(begin, i - begin);
    if (!names_.insert(name).second) return Error(begin, "expected attribute ", Quoted(name, 64), " only once");
    while (IsXmlSpace(At(i))) ++i;
    if (At(i) != '=') return Error(i, "expected \"=\" behind attribute ", Quoted(name, 64));
    ++i;
    while (IsXmlSpace(At(i))) ++i;
    const char quote = At(i);
    if (quote != '"' && quote != '\'')
      return Error(i, "expected the value of attribute ", Quoted(name, 64), " in quotes");
    const size_t end = source_.find(quote, i + 1);
    if (end == kNotFound)
      return Error(source_.size(), "expected ", absl::string_view(&quote, 1), " for the value that begins at ",
                   Place(i));
    const size_t less = source_.substr(i, end - i).find('<');
    if (less != kNotFound)
      return Error(i + less, "expected \"&lt;\" instead of \"<\" in the value of attribute ", Quoted(name, 64));
    HEED_RETURN_IF_ERROR(CheckReferences(i, end));
    i = end + 1;
    return absl::OkStatus();
  }

  absl::Status EndTag() {
    const size_t name_end = NameEnd(at_ + 2);
    const absl::string_view name = source_.substr(at_ + 2, name_end - at_ - 2);
    if (open_.empty()) return Error(at_, "expected no end tag: no element is open");
    const MarkupToken& open = tokens_[open_.back()];
    if (name != open.name(source_)) {
      return Error(at_, "expected </", Excerpt(open.name(source_), 64), "> for the element that begins at ",
                   Place(open.begin), ", not </", Excerpt(name, 64), ">");
    }
    size_t i = name_end;
    while (IsXmlSpace(At(i))) ++i;
    if (At(i) != '>') return Error(i, "expected \">\" in an end tag");
    open_.pop_back();
    Add(i + 1, TokenKind::kEndTag);
    tokens_.back().name_end = static_cast<uint32_t>(name_end);
    return absl::OkStatus();
  }

  size_t NameEnd(size_t at) const {
    if (!IsNameStart(At(at))) return at;
    while (at < source_.size() && IsNameCharacter(source_[at])) ++at;
    return at;
  }
  std::string TagName(size_t name_end) const { return Excerpt(source_.substr(at_ + 1, name_end - at_ - 1), 64); }
  char At(size_t at) const { return at < source_.size() ? source_[at] : 0; }

  void Add(size_t end, TokenKind kind) {
    tokens_.push_back({static_cast<uint32_t>(at_), static_cast<uint32_t>(end)});
    tokens_.back().kind = kind;
    at_ = end;
  }

  std::string Place(size_t at) const {
    const absl::string_view before = source_.substr(0, at);
    const size_t line_begin = before.rfind('\n') + 1;  // 0 if there is none
    const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
    return absl::StrCat(
        "line ", std::count(before.begin(), before.end(), '\n') + 1, ", column ",
        std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_begin), before.end(), starts_character) + 1);
  }
  template <typename... Parts>
  absl::Status Error(size_t at, const Parts&... parts) const {
    return InvalidArgument("not well-formed XML: ", Place(at), ": ", parts...);
  }

  const absl::string_view source_;
  size_t at_ = 0, start_ = 0;
  bool has_elements_ = false, has_type_ = false;
  std::vector<MarkupToken> tokens_;
  std::vector<size_t> open_;                      // start tags
  absl::flat_hash_set<absl::string_view> names_;  // of the present tag's attributes
};

}  // namespace

absl::StatusOr<std::vector<MarkupToken>> ScanXml(absl::string_view source) { return XmlScanner(source).Scan(); }

}  // namespace heed
