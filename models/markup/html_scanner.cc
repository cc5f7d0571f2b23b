// SPDX-License-Identifier: Apache-2.0
#include "models/markup/html_scanner.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "models/markup/html_elements.h"

namespace heed {
namespace {

class HtmlScanner {
 public:
  explicit HtmlScanner(absl::string_view source) : source_(source) {}

  std::vector<MarkupToken> Scan() {
    size_t at = 0;
    while (true) {
      at = source_.find('<', at);
      if (at == kNotFound) break;
      const size_t end = MarkupAt(at);
      at = end == at ? at + 1 : end;
    }
    AddText(source_.size(), TokenKind::kText);
    return std::move(tokens_);
  }

 private:
  // Adds the markup at "<", if it is any, and returns where it ends.
  size_t MarkupAt(size_t at) {
    const char next = At(at + 1);
    if (absl::ascii_isalpha(next)) return Tag(at, TokenKind::kStartTag);
    if (next == '!') return Declaration(at);
    if (next == '?') return Add(at, Behind(">", at), TokenKind::kOther);
    if (next != '/' || at + 2 == source_.size()) return at;
    return absl::ascii_isalpha(At(at + 2)) ? Tag(at, TokenKind::kEndTag) : Add(at, Behind(">", at), TokenKind::kOther);
  }

  size_t Tag(size_t at, TokenKind kind) {
    size_t name_end = at + 2;
    while (name_end < source_.size() && !IsMarkupSpace(source_[name_end]) && source_[name_end] != '/' &&
           source_[name_end] != '>') {
      ++name_end;
    }
    AttributeReader attributes(source_, name_end);
    for (MarkupAttribute attribute; attributes.Next(attribute);) {
    }
    // A tag that the source ends in is nothing.
    if (!attributes.ended()) return Add(at, source_.size(), TokenKind::kOther);
    const size_t end = Add(at, attributes.end(), kind);
    tokens_.back().name_end = static_cast<uint32_t>(name_end);
    tokens_.back().self_closing = kind == TokenKind::kStartTag && attributes.self_closing();
    return kind == TokenKind::kStartTag ? BehindStart(end) : BehindEnd(end);
  }

  // What is behind a start tag, the last token: the text of a script is no markup.
  size_t BehindStart(size_t end) {
    const MarkupToken tag = tokens_.back();
    const absl::string_view name = tag.name(source_);
    const uint16_t traits = HtmlTraits(name);
    if (InForeign()) {
      if ((traits & kLeavesForeign) != 0) {
        foreign_.clear();
      } else {
        if (!tag.self_closing) Enter(name);
        return end;
      }
    }
    if (!tag.self_closing && (absl::EqualsIgnoreCase(name, "svg") || absl::EqualsIgnoreCase(name, "math"))) Enter(name);
    if ((traits & (kRaw | kPlain)) == 0) return end;
    const size_t content_end = absl::EqualsIgnoreCase(name, "plaintext") ? source_.size()
                               : absl::EqualsIgnoreCase(name, "script")  ? ScriptEnd(end)
                                                                         : FindEndTag(name, end);
    if (content_end > end) Add(end, content_end, (traits & kRaw) != 0 ? TokenKind::kRawText : TokenKind::kPlainText);
    return content_end;
  }

  size_t BehindEnd(size_t end) {
    const absl::string_view name = tokens_.back().name(source_);
    if (!foreign_.empty() && absl::EqualsIgnoreCase(name, foreign_.back())) foreign_.pop_back();
    return end;
  }

  // Names of svg and math that are open, and of what is HTML again within them.
  void Enter(absl::string_view name) {
    for (const absl::string_view known : {"svg", "math", "foreignobject", "desc", "title", "annotation-xml"}) {
      if (absl::EqualsIgnoreCase(name, known)) foreign_.push_back(known);
    }
  }
  bool InForeign() const { return !foreign_.empty() && (foreign_.back() == "svg" || foreign_.back() == "math"); }

  // "<!": a comment, the document type, or anything, which is then like a comment.
  size_t Declaration(size_t at) {
    if (absl::StartsWith(source_.substr(at), "<!--")) {
      const size_t text = at + 4;
      if (At(text) == '>') return Add(at, text + 1, TokenKind::kOther);
      if (At(text) == '-' && At(text + 1) == '>') return Add(at, text + 2, TokenKind::kOther);
      return Add(at, CommentEnd(text), TokenKind::kOther);
    }
    if (InForeign() && absl::StartsWith(source_.substr(at), "<![CDATA["))
      return Add(at, Behind("]]>", at), TokenKind::kOther);
    return Add(at, Behind(">", at), TokenKind::kOther);
  }

  size_t CommentEnd(size_t at) const {
    for (at = source_.find("--", at); at != kNotFound; at = source_.find("--", at + 1)) {
      if (At(at + 2) == '>') return at + 3;
      if (At(at + 2) == '!' && At(at + 3) == '>') return at + 4;
    }
    return source_.size();
  }

  // An end tag of this name begins at "<".
  bool IsEndTag(absl::string_view name, size_t at) const {
    const char behind = At(at + 2 + name.size());
    return At(at + 1) == '/' && absl::EqualsIgnoreCase(Part(at + 2, name.size()), name) &&
           (IsMarkupSpace(behind) || behind == '/' || behind == '>');
  }

  size_t FindEndTag(absl::string_view name, size_t at) const {
    for (at = source_.find('<', at); at != kNotFound; at = source_.find('<', at + 1)) {
      if (IsEndTag(name, at)) return at;
    }
    return source_.size();
  }

  // A script may hold a comment that holds scripts.
  size_t ScriptEnd(size_t at) const {
    enum { kScript, kComment, kScriptInComment } state = kScript;
    for (at = source_.find_first_of("<-", at); at != kNotFound; at = source_.find_first_of("<-", at + 1)) {
      if (source_[at] == '-') {
        if (Part(at, 3) == "-->") state = kScript;
      } else if (state == kScript && Part(at, 4) == "<!--") {
        state = kComment;
        at += 1;  // "<!-->" ends at once
      } else if (IsEndTag("script", at)) {
        if (state != kScriptInComment) return at;
        state = kComment;
      } else if (state == kComment && absl::EqualsIgnoreCase(Part(at + 1, 6), "script")) {
        const char behind = At(at + 7);
        if (IsMarkupSpace(behind) || behind == '/' || behind == '>') state = kScriptInComment;
      }
    }
    return source_.size();
  }

  char At(size_t at) const { return at < source_.size() ? source_[at] : 0; }
  absl::string_view Part(size_t at, size_t size) const { return at < source_.size() ? source_.substr(at, size) : ""; }
  size_t Behind(absl::string_view mark, size_t at) const {
    const size_t found = source_.find(mark, at);
    return found == kNotFound ? source_.size() : found + mark.size();
  }

  void AddText(size_t end, TokenKind kind) {
    const size_t begin = tokens_.empty() ? 0 : tokens_.back().end;
    if (begin == end) return;
    tokens_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    tokens_.back().kind = kind;
  }
  // A token, and the text before it. Returns its end.
  size_t Add(size_t begin, size_t end, TokenKind kind) {
    AddText(begin, TokenKind::kText);
    AddText(end, kind);
    return end;
  }

  const absl::string_view source_;
  std::vector<MarkupToken> tokens_;
  std::vector<absl::string_view> foreign_;
};

}  // namespace

std::vector<MarkupToken> ScanHtml(absl::string_view source) { return HtmlScanner(source).Scan(); }

}  // namespace heed
