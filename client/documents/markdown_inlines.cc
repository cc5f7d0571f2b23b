// SPDX-License-Identifier: Apache-2.0
#include "client/documents/markdown_inlines.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/code_points.h"
#include "client/documents/text_input.h"
#include "client/documents/wrapped_text.h"

namespace heed::client {
namespace {

// What is nested deeper stays as it is.
constexpr int kMaxInlineDepth = 100;

using MarkKind = TextPiece::Kind;

bool IsPunctuation(char c) { return absl::ascii_ispunct(static_cast<unsigned char>(c)); }
bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80;
}
bool IsBlankOrNone(char c) { return c == 0 || absl::ascii_isspace(static_cast<unsigned char>(c)); }

// What an entity at the beginning of `text` says, and its length; 0: there is none.
std::pair<std::string, size_t> MarkdownEntity(absl::string_view text) {
  const size_t end = text.substr(0, 40).find(';');
  if (end == absl::string_view::npos || end < 2) return {"", 0};
  const absl::string_view entity = text.substr(0, end + 1);
  for (const char c : entity.substr(1, end - 1)) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '#') return {"", 0};
  }
  // cmark-gfm has the table.
  cmark_node* const document = cmark_parse_document(entity.data(), entity.size(), CMARK_OPT_DEFAULT);
  cmark_node* const paragraph = cmark_node_first_child(document);
  std::string meaning;
  for (cmark_node* node = paragraph == nullptr ? nullptr : cmark_node_first_child(paragraph); node != nullptr;
       node = cmark_node_next(node)) {
    if (const char* const literal = cmark_node_get_literal(node)) meaning += literal;
  }
  cmark_node_free(document);
  if (meaning == entity || meaning.empty()) return {"", 0};
  return {meaning, entity.size()};
}

// What begins a block if a line begins with it, so that it needs an escape there; where the backslash goes. None:
// nothing does.
std::optional<size_t> BlockMarker(absl::string_view line) {
  if (line.empty()) return std::nullopt;
  const auto ends_marker = [line](size_t i) { return i >= line.size() || line[i] == ' ' || line[i] == '\t'; };
  size_t run = 0;
  while (run < line.size() && line[run] == line[0]) ++run;
  switch (line[0]) {
    case '#':
      return run <= 6 && ends_marker(run) ? std::optional<size_t>(0) : std::nullopt;
    case '>':
      return 0;
    case '-':
    case '+':
    case '=':
    case '*':
      return ends_marker(1) || ends_marker(run) ? std::optional<size_t>(0) : std::nullopt;
    case '~':
      return run >= 3 ? std::optional<size_t>(0) : std::nullopt;
    default:
      break;
  }
  size_t digits = 0;
  while (digits < line.size() && absl::ascii_isdigit(static_cast<unsigned char>(line[digits]))) ++digits;
  if (digits > 0 && digits < 10 && digits < line.size() && (line[digits] == '.' || line[digits] == ')') &&
      ends_marker(digits + 1)) {
    return digits;
  }
  return std::nullopt;
}

// The length of an address at the beginning of `text`; 0: there is none.
size_t AddressLength(absl::string_view text) {
  if (!absl::StartsWith(text, "http://") && !absl::StartsWith(text, "https://") && !absl::StartsWith(text, "www.")) {
    return 0;
  }
  size_t end = 0;
  while (end < text.size() && !absl::ascii_isspace(static_cast<unsigned char>(text[end])) && text[end] != '<') ++end;
  while (end > 0 && absl::StrContains(".,:;!?\"')*_~", text.substr(end - 1, 1))) --end;
  return end > 8 ? end : 0;
}

}  // namespace

std::optional<MarkdownInlines> MarkdownInlines::Locate(cmark_node* block, absl::string_view source, size_t begin,
                                                       size_t end, int quotes, bool cell) {
  MarkdownInlines inlines(source.substr(0, end));
  inlines.begin_ = inlines.at_ = begin;
  inlines.quotes_ = quotes;
  inlines.cell_ = cell;
  if (!inlines.Walk(block)) return std::nullopt;
  inlines.end_ = inlines.at_;
  size_t line = begin;
  for (size_t next = source.find('\n', line); next < inlines.end_; next = source.find('\n', line)) {
    inlines.columns_ = std::max(inlines.columns_, ColumnsOf(WithoutLineEnd(source.substr(line, next + 1 - line))));
    line = inlines.SkipPrefix(next + 1);
  }
  inlines.columns_ = std::max(inlines.columns_, ColumnsOf(source.substr(line, inlines.end_ - line)));
  inlines.text_.Trim(inlines.before_, inlines.after_);
  return inlines;
}

size_t MarkdownInlines::SkipPrefix(size_t at) const {
  int quotes = 0;
  while (at < source_.size()) {
    if (source_[at] == '>' && quotes < quotes_) {
      ++quotes;
    } else if (source_[at] != ' ' && source_[at] != '\t') {
      break;
    }
    ++at;
  }
  return at;
}

std::string MarkdownInlines::Flat(size_t begin, size_t end) const {
  std::string flat;
  while (begin < end) {
    const size_t newline = std::min(source_.find('\n', begin), end);
    absl::StrAppend(&flat, WithoutLineEnd(source_.substr(begin, std::min(newline + 1, end) - begin)));
    if (newline < end) flat += ' ';
    begin = newline < end ? SkipPrefix(newline + 1) : end;
  }
  return flat;
}

bool MarkdownInlines::SkipLineEnd() {
  while (at_ < source_.size() && (source_[at_] == ' ' || source_[at_] == '\t')) ++at_;
  const size_t begin = at_;
  if (at_ < source_.size() && source_[at_] == '\r') ++at_;
  if (at_ < source_.size() && source_[at_] == '\n') ++at_;
  if (at_ == begin) return false;
  if (line_end_.empty()) line_end_ = std::string(source_.substr(begin, at_ - begin));
  const size_t prefix = at_;
  at_ = SkipPrefix(at_);
  if (prefix_.empty()) prefix_ = std::string(source_.substr(prefix, at_ - prefix));
  return true;
}

bool MarkdownInlines::Walk(cmark_node* parent) {
  if (++depth_ > kMaxInlineDepth) return false;
  std::vector<std::pair<std::string, int>> open_html;
  for (cmark_node* node = cmark_node_first_child(parent); node != nullptr; node = cmark_node_next(node)) {
    const char* const literal = cmark_node_get_literal(node);
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_TEXT:
        if (!WalkText(literal)) return false;
        break;
      case CMARK_NODE_SOFTBREAK:
        breaks_at_sentences_ =
            breaks_at_sentences_ &&
            EndsSentence(source_.substr(at_ - std::min<size_t>(at_ - begin_, 40), std::min<size_t>(at_ - begin_, 40)));
        ++soft_breaks_;
        if (!SkipLineEnd()) return false;
        text_.AddText(" ");
        break;
      case CMARK_NODE_LINEBREAK: {
        const size_t begin = at_;
        if (at_ < source_.size() && source_[at_] == '\\') ++at_;
        if (!SkipLineEnd()) return false;
        text_.AddMark(source_.substr(begin, at_ - begin));
        break;
      }
      case CMARK_NODE_CODE:
        if (!WalkCode()) return false;
        break;
      case CMARK_NODE_HTML_INLINE:
        if (!WalkHtml(literal, open_html)) return false;
        break;
      case CMARK_NODE_EMPH:
        if (!WalkSpan(node, 1)) return false;
        break;
      case CMARK_NODE_STRONG:
        if (!WalkSpan(node, 2)) return false;
        break;
      case CMARK_NODE_LINK:
      case CMARK_NODE_IMAGE:
        if (!WalkLink(node)) return false;
        break;
      case CMARK_NODE_FOOTNOTE_REFERENCE: {
        const size_t end = source_.find(']', at_);
        if (!absl::StartsWith(source_.substr(at_), "[^") || end == absl::string_view::npos) return false;
        text_.AddMark(source_.substr(at_, end + 1 - at_));
        at_ = end + 1;
        break;
      }
      default: {
        if (absl::string_view(cmark_node_get_type_string(node)) != "strikethrough") return false;
        size_t tildes = 0;
        while (at_ + tildes < source_.size() && source_[at_ + tildes] == '~') ++tildes;
        if (tildes == 0 || tildes > 2 || !WalkSpan(node, tildes)) return false;
      }
    }
  }
  --depth_;
  return true;
}

void MarkdownInlines::AddWords(const std::string& text) {
  // Addresses in the text are not words.
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && IsWordByte(text[i - 1])) continue;
    const size_t length = text[i] == 'h' || text[i] == 'w' ? AddressLength(absl::string_view(text).substr(i)) : 0;
    if (length == 0) continue;
    text_.AddText(text.substr(done, i - done));
    text_.AddCode(text.substr(i, length), text.substr(i, length));
    done = i += length;
  }
  if (done < text.size()) text_.AddText(text.substr(done));
}

bool MarkdownInlines::WalkText(absl::string_view literal) {
  static constexpr absl::string_view kSeveralSpellings = "\\`*_{}[]<>()#+-.!|~&\"'$%,/:;=?@^";
  std::string words;
  for (size_t i = 0; i < literal.size();) {
    if (at_ >= source_.size()) return false;
    const char c = source_[at_];
    if (c == '\\' && at_ + 1 < source_.size() && IsPunctuation(source_[at_ + 1]) && source_[at_ + 1] == literal[i]) {
      spellings_[std::string(1, literal[i])].emplace_back(source_.substr(at_, 2));
      words += literal[i++];
      at_ += 2;
      continue;
    }
    if (c == '&') {
      if (const auto [meaning, length] = MarkdownEntity(source_.substr(at_)); length > 0) {
        if (!absl::StartsWith(literal.substr(i), meaning)) return false;
        spellings_[meaning].emplace_back(source_.substr(at_, length));
        words += meaning;
        i += meaning.size();
        at_ += length;
        continue;
      }
    }
    if (c != literal[i]) return false;
    if (kSeveralSpellings.find(c) != absl::string_view::npos) spellings_[std::string(1, c)].emplace_back(1, c);
    words += literal[i++];
    ++at_;
  }
  AddWords(words);
  return true;
}

bool MarkdownInlines::WalkSpan(cmark_node* node, size_t delimiter) {
  const absl::string_view opening = source_.substr(at_, delimiter);
  if (opening.size() != delimiter || !absl::StrContains("*_~", opening.substr(0, 1)) ||
      opening.find_first_not_of(opening[0]) != absl::string_view::npos) {
    return false;
  }
  at_ += delimiter;
  const int id = text_.Open(opening);
  if (!Walk(node) || source_.substr(at_, delimiter) != opening) return false;
  at_ += delimiter;
  text_.Close(id, opening);
  return true;
}

bool MarkdownInlines::WalkCode() {
  size_t run = 0;
  while (at_ + run < source_.size() && source_[at_ + run] == '`') ++run;
  if (run == 0) return false;
  for (size_t i = at_ + run; i < source_.size();) {
    if (source_[i] != '`') {
      ++i;
      continue;
    }
    size_t closing = 0;
    while (i + closing < source_.size() && source_[i + closing] == '`') ++closing;
    if (closing == run) {
      const std::string shown = Flat(at_ + run, i);
      text_.AddCode(Flat(at_, i + run), absl::StripAsciiWhitespace(shown));
      at_ = i + run;
      return true;
    }
    i += closing;
  }
  return false;
}

bool MarkdownInlines::WalkHtml(absl::string_view literal, std::vector<std::pair<std::string, int>>& open) {
  const size_t begin = at_;
  for (size_t i = 0; i < literal.size();) {
    if (at_ >= source_.size()) return false;
    if (source_[at_] == '\r' && literal[i] == '\n') ++at_;
    if (at_ >= source_.size() || source_[at_] != literal[i]) return false;
    const bool newline = literal[i] == '\n';
    ++at_;
    ++i;
    if (!newline) continue;
    at_ = SkipPrefix(at_);
    while (i < literal.size() && (literal[i] == ' ' || literal[i] == '\t')) ++i;
  }
  const std::string tag = Flat(begin, at_);
  const bool closes = absl::StartsWith(tag, "</");
  size_t end = closes ? 2 : 1;
  const size_t name_begin = end;
  while (end < tag.size() && absl::ascii_isalnum(static_cast<unsigned char>(tag[end]))) ++end;
  const std::string name = absl::AsciiStrToLower(tag.substr(name_begin, end - name_begin));
  if (closes) {
    const auto found = std::find_if(open.rbegin(), open.rend(), [&](const auto& known) { return known.first == name; });
    if (found == open.rend()) {
      text_.AddMark(tag);
    } else {
      text_.Close(found->second, tag);
      open.erase(found.base() - 1, open.end());
    }
  } else if (name.empty() || absl::EndsWith(tag, "/>") || name == "br" || name == "img" || name == "hr" ||
             name == "wbr" || name == "input") {
    text_.AddMark(tag);
  } else {
    open.emplace_back(name, text_.Open(tag));
  }
  return true;
}

bool MarkdownInlines::WalkLink(cmark_node* node) {
  const absl::string_view rest = source_.substr(at_);
  if (absl::StartsWith(rest, "<")) {
    const size_t end = rest.find('>');
    if (end == absl::string_view::npos) return false;
    text_.AddCode(rest.substr(0, end + 1), rest.substr(1, end - 1));
    at_ += end + 1;
    return true;
  }
  const absl::string_view opening = cmark_node_get_type(node) == CMARK_NODE_IMAGE ? "![" : "[";
  if (!absl::StartsWith(rest, opening)) return false;
  at_ += opening.size();
  const size_t label = at_;
  const int id = text_.Open(opening);
  if (!Walk(node) || at_ >= source_.size() || source_[at_] != ']') return false;
  const size_t tail = at_++;
  if (!SkipLinkTail()) return false;
  const absl::string_view address = source_.substr(tail + 1, at_ - tail - 1);
  if (address.empty() || address == "[]") {
    // Its text names the definition, and will be another one.
    text_.Close(id, absl::StrCat("][", Flat(label, tail), "]"));
  } else {
    text_.Close(id, Flat(tail, at_));
  }
  return true;
}

// Behind "]": "(address "title")", "[label]" or nothing.
bool MarkdownInlines::SkipLinkTail() {
  if (at_ < source_.size() && source_[at_] == '[') {
    for (size_t i = at_ + 1; i < source_.size(); ++i) {
      if (source_[i] == '\\') {
        ++i;
      } else if (source_[i] == ']') {
        at_ = i + 1;
        return true;
      } else if (source_[i] == '[') {
        return true;  // no label
      }
    }
    return true;
  }
  if (at_ >= source_.size() || source_[at_] != '(') return true;
  size_t i = at_ + 1;
  const auto skip_blanks = [&] {
    while (i < source_.size() && absl::ascii_isspace(static_cast<unsigned char>(source_[i]))) {
      i = source_[i] == '\n' ? SkipPrefix(i + 1) : i + 1;
    }
  };
  skip_blanks();
  if (i < source_.size() && source_[i] == '<') {
    while (i < source_.size() && source_[i] != '>' && source_[i] != '\n') i += source_[i] == '\\' ? 2 : 1;
    if (i >= source_.size() || source_[i] != '>') return true;
    ++i;
  } else {
    for (int depth = 0; i < source_.size(); ++i) {
      const char c = source_[i];
      if (c == '\\') {
        ++i;
      } else if (c == '(') {
        ++depth;
      } else if ((c == ')' && depth-- == 0) || absl::ascii_isspace(static_cast<unsigned char>(c))) {
        break;
      }
    }
  }
  skip_blanks();
  if (i < source_.size() && absl::StrContains("\"'(", source_.substr(i, 1))) {
    const char closing = source_[i] == '(' ? ')' : source_[i];
    ++i;
    while (i < source_.size() && source_[i] != closing) i += source_[i] == '\\' ? 2 : 1;
    ++i;
    skip_blanks();
  }
  if (i < source_.size() && source_[i] == ')') at_ = i + 1;  // else a reference with text in parentheses behind it
  return true;
}

std::string MarkdownInlines::Escape(absl::string_view text, std::map<std::string, size_t>& used,
                                    const std::map<std::string, bool>& as_source, char before, char after) const {
  std::string out;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const auto begin = static_cast<size_t>(i);
    NextCodePoint(text, i);
    const absl::string_view c = text.substr(begin, static_cast<size_t>(i) - begin);
    const std::string character(c);
    if (const auto known = as_source.find(character); known != as_source.end() && known->second) {
      out += spellings_.at(character)[used[character]++];
      continue;
    }
    const char previous = begin > 0 ? text[begin - 1] : before;
    const char next = static_cast<size_t>(i) < text.size() ? text[static_cast<size_t>(i)] : after;
    bool escape = false;
    if (c == "*" || c == "~") escape = !(IsBlankOrNone(previous) && IsBlankOrNone(next));
    if (c == "_")
      escape = !(IsWordByte(previous) && IsWordByte(next)) && !(IsBlankOrNone(previous) && IsBlankOrNone(next));
    if (c == "`" || c == "[" || c == "]") escape = true;
    if (c == "|") escape = cell_;
    if (c == "\\") escape = IsPunctuation(next);
    if (c == "<") escape = IsWordByte(next) || next == '/' || next == '!' || next == '?';
    if (c == "&") escape = MarkdownEntity(text.substr(begin)).second > 0;
    if (escape) out += '\\';
    out += c == "\n" ? " " : character;
  }
  return out;
}

std::string MarkdownInlines::WrapLines(const std::string& bytes, const std::string& shadow) const {
  std::vector<TextCut> cuts;
  if (soft_breaks_ > 0 && breaks_at_sentences_) {
    for (const TextCut& cut : CutsOf(shadow)) {
      if (cut.end < cut.begin && EndsSentence(absl::string_view(shadow).substr(0, cut.end))) cuts.push_back(cut);
    }
    if (cuts.size() != soft_breaks_) cuts.clear();
  }
  if (soft_breaks_ > 0 && cuts.empty()) cuts = WrapText(shadow, columns_, /*balanced=*/false);
  std::string lines;
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    std::string line = bytes.substr(begin, (i < cuts.size() ? cuts[i].end : bytes.size()) - begin);
    if (i > 0) {
      if (const auto at = BlockMarker(line)) line.insert(*at, 1, '\\');
      absl::StrAppend(&lines, line_end_, prefix_);
    }
    lines += line;
    if (i < cuts.size()) begin = cuts[i].begin;
  }
  return lines;
}

std::string MarkdownInlines::Render(absl::string_view translation) const {
  const auto read = text_.Read(translation);
  std::vector<TextPiece> pieces = read.ok() ? *read : text_.pieces();
  // Blanks go out of what is emphasized: "** word**" is none.
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    if (pieces[i].kind != MarkKind::kOpen || pieces[i + 1].kind != MarkKind::kText) continue;
    const std::string text = pieces[i + 1].bytes;
    const std::string stripped(absl::StripLeadingAsciiWhitespace(text));
    if (stripped.size() == text.size()) continue;
    pieces[i + 1].bytes = stripped;
    const TextPiece blanks = {.bytes = text.substr(0, text.size() - stripped.size())};
    pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(i), blanks);
    ++i;
  }
  for (size_t i = pieces.size(); i-- > 1;) {
    if (pieces[i].kind != MarkKind::kClose || pieces[i - 1].kind != MarkKind::kText) continue;
    const std::string text = pieces[i - 1].bytes;
    const std::string stripped(absl::StripTrailingAsciiWhitespace(text));
    if (stripped.size() == text.size()) continue;
    pieces[i - 1].bytes = stripped;
    const TextPiece blanks = {.bytes = text.substr(stripped.size())};
    pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(i) + 1, blanks);
  }
  pieces.erase(
      std::remove_if(pieces.begin(), pieces.end(),
                     [](const TextPiece& piece) { return piece.kind == MarkKind::kText && piece.bytes.empty(); }),
      pieces.end());
  // Characters that the translation has as often as the source are spelled as there.
  const std::string words = WordsOf(pieces);
  std::map<std::string, bool> as_source;
  for (const auto& [character, spellings] : spellings_) {
    size_t count = 0;
    for (size_t at = words.find(character); at != std::string::npos;
         at = words.find(character, at + character.size())) {
      ++count;
    }
    as_source[character] = count == spellings.size();
  }
  std::map<std::string, size_t> used;
  std::string bytes = before_;
  std::string shadow(before_.size(), 'x');  // marks are no place to break a line
  std::string lines;
  std::map<int, std::string> stars;  // "_" within words is no emphasis
  for (size_t i = 0; i < pieces.size(); ++i) {
    const TextPiece& piece = pieces[i];
    if (piece.kind == MarkKind::kText) {
      const std::string text =
          Escape(piece.bytes, used, as_source, bytes.empty() ? 0 : bytes.back(), i + 1 < pieces.size() ? 'x' : 0);
      bytes += text;
      shadow += text;
      continue;
    }
    std::string mark = piece.bytes;
    if (absl::StrContains(mark, '\n')) {  // a hard break
      absl::StrAppend(&lines, WrapLines(bytes, shadow), mark);
      bytes.clear();
      shadow.clear();
      continue;
    }
    if (piece.kind == MarkKind::kOpen && (mark == "_" || mark == "__")) {
      size_t close = i;
      while (close < pieces.size() && (pieces[close].kind != MarkKind::kClose || pieces[close].id != piece.id)) ++close;
      const char behind =
          close + 1 < pieces.size() && pieces[close + 1].kind == MarkKind::kText ? pieces[close + 1].bytes[0] : 0;
      if ((!bytes.empty() && IsWordByte(bytes.back())) || IsWordByte(behind))
        stars[piece.id] = std::string(mark.size(), '*');
    }
    if (piece.kind == MarkKind::kOpen && i + 1 < pieces.size() && pieces[i + 1].kind == MarkKind::kClose &&
        absl::StrContains("*_~", mark.substr(0, 1))) {
      ++i;  // emphasis of nothing is no emphasis
      continue;
    }
    if (const auto star = stars.find(piece.id); star != stars.end() && piece.kind != MarkKind::kMark)
      mark = star->second;
    bytes += mark;
    shadow += std::string(mark.size(), 'x');
  }
  bytes += after_;
  shadow += std::string(after_.size(), 'x');
  lines += WrapLines(bytes, shadow);
  if (const auto at = BlockMarker(lines); at && !cell_ && !BlockMarker(source_.substr(begin_)))
    lines.insert(*at, 1, '\\');
  return lines;
}

}  // namespace heed::client
