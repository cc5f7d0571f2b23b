// SPDX-License-Identifier: Apache-2.0
#include "client/documents/marked_text.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/code_points.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"

namespace heed::client {
namespace {

using Kind = TextPiece::Kind;

void AppendEscaped(absl::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
}

void AppendUtf8(uint32_t code, std::string& out) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, code);
  out.append(bytes, static_cast<size_t>(size));
}

// The character of "&amp;" at the beginning of `text`, which then lies behind it. False: there is none.
bool TakeXmlEntity(absl::string_view& text, std::string& out) {
  const size_t end = text.substr(0, 12).find(';');
  if (end == absl::string_view::npos) return false;
  const absl::string_view name = text.substr(1, end - 1);
  static constexpr std::pair<absl::string_view, char> kNames[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  const auto* const found =
      std::find_if(std::begin(kNames), std::end(kNames), [name](const auto& known) { return known.first == name; });
  uint32_t code = 0;
  if (found != std::end(kNames)) {
    out += found->second;
  } else if (absl::StartsWith(name, "#x") ? absl::SimpleHexAtoi(name.substr(2), &code)
                                          : absl::StartsWith(name, "#") && absl::SimpleAtoi(name.substr(1), &code)) {
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    AppendUtf8(code, out);
  } else {
    return false;
  }
  text.remove_prefix(end + 1);
  return true;
}

void AddCharacters(absl::string_view text, const TagRules& rules, MarkedText& marked) {
  if (rules.kept) {
    size_t done = 0;
    for (const KeptRange& range : KeptRangesOf(text, *rules.kept)) {
      const absl::string_view placeholder = text.substr(range.begin, range.end - range.begin);
      marked.AddText(text.substr(done, range.begin - done));
      marked.AddCode(placeholder, placeholder);
      done = range.end;
    }
    return marked.AddText(text.substr(done));
  }
  if (!rules.entities || !absl::StrContains(text, '&')) return marked.AddText(text);
  static constexpr std::pair<absl::string_view, absl::string_view> kEntities[] = {
      {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&nbsp;", "\u00a0"}, {"&lrm;", "\u200e"}, {"&rlm;", "\u200f"}};
  std::string decoded;
  while (!text.empty()) {
    const auto* const found = std::find_if(std::begin(kEntities), std::end(kEntities),
                                           [text](const auto& entity) { return absl::StartsWith(text, entity.first); });
    const bool known = found != std::end(kEntities);
    absl::StrAppend(&decoded, known ? found->second : text.substr(0, 1));
    text.remove_prefix(known ? found->first.size() : 1);
  }
  marked.AddText(decoded);
}

}  // namespace

std::string WordsOf(const std::vector<TextPiece>& pieces) {
  std::string text;
  for (const TextPiece& piece : pieces) {
    if (piece.kind == Kind::kText) text += piece.bytes;
  }
  return text;
}

void MarkedText::AddText(absl::string_view text) {
  if (text.empty()) return;
  if (!pieces_.empty() && pieces_.back().kind == Kind::kText) {
    pieces_.back().bytes.append(text.data(), text.size());
  } else {
    pieces_.push_back({.kind = Kind::kText, .bytes = std::string(text)});
  }
}

int MarkedText::Open(absl::string_view bytes) {
  pieces_.push_back({.kind = Kind::kOpen, .id = ++last_id_, .bytes = std::string(bytes)});
  open_.push_back({last_id_, pieces_.size() - 1});
  return last_id_;
}

void MarkedText::CloseRest(size_t from) {
  for (size_t i = from; i < open_.size(); ++i) pieces_[open_[i].piece].kind = Kind::kMark;
  open_.resize(from);
}

void MarkedText::Close(int id, absl::string_view bytes) {
  const auto found = std::lower_bound(open_.begin(), open_.end(), id,
                                      [](const OpenMark& mark, int wanted) { return mark.id < wanted; });
  CloseRest(static_cast<size_t>(found - open_.begin()) + 1);
  open_.pop_back();
  pieces_.push_back({.kind = Kind::kClose, .id = id, .bytes = std::string(bytes)});
}

void MarkedText::AddMark(absl::string_view bytes) {
  pieces_.push_back({.kind = Kind::kMark, .id = ++last_id_, .bytes = std::string(bytes)});
}

void MarkedText::AddCode(absl::string_view bytes, absl::string_view shown) {
  pieces_.push_back({.kind = Kind::kCode, .id = ++last_id_, .bytes = std::string(bytes), .shown = std::string(shown)});
}

void MarkedText::AddPieces(const std::vector<TextPiece>& pieces) {
  const int offset = last_id_;
  for (const TextPiece& piece : pieces) {
    if (piece.kind == Kind::kText) {
      AddText(piece.bytes);
    } else {
      pieces_.push_back(piece);
      pieces_.back().id += offset;
      last_id_ = std::max(last_id_, piece.id + offset);
    }
  }
}

void MarkedText::Trim(std::string& before, std::string& after) {
  CloseRest(0);
  size_t first = 0;
  size_t last = pieces_.size();
  std::string tail;
  const auto take_text = [](TextPiece& piece, bool front, std::string& out) {
    const absl::string_view text = piece.bytes;
    const absl::string_view kept =
        front ? absl::StripLeadingAsciiWhitespace(text) : absl::StripTrailingAsciiWhitespace(text);
    const absl::string_view taken = front ? text.substr(0, text.size() - kept.size()) : text.substr(kept.size());
    if (front) {
      absl::StrAppend(&out, taken);
    } else {
      out.insert(0, taken.data(), taken.size());
    }
    piece.bytes = std::string(kept);
    return piece.bytes.empty();
  };
  while (first < last) {
    TextPiece& front = pieces_[first];
    TextPiece& back = pieces_[last - 1];
    if (front.kind == Kind::kText) {
      if (take_text(front, true, before)) {
        ++first;
        continue;
      }
    } else if (front.kind == Kind::kMark) {
      before += front.bytes;
      ++first;
      continue;
    }
    if (back.kind == Kind::kText) {
      if (take_text(back, false, tail)) {
        --last;
        continue;
      }
    } else if (back.kind == Kind::kMark) {
      tail.insert(0, back.bytes);
      --last;
      continue;
    }
    if (front.kind != Kind::kOpen || back.kind != Kind::kClose || front.id != back.id) break;
    before += front.bytes;
    tail.insert(0, back.bytes);
    ++first;
    --last;
  }
  pieces_.resize(last);
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first));
  after.insert(0, tail);
}

bool MarkedText::has_words() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const TextPiece& piece) { return piece.kind == Kind::kText && HasWords(piece.bytes); });
}

void MarkedText::FillSegment(Segment& segment) const {
  segment.text.clear();
  if (std::all_of(pieces_.begin(), pieces_.end(), [](const auto& piece) { return piece.kind == Kind::kText; })) {
    segment.format = v1::TEXT_FORMAT_PLAIN;
    segment.text = words();
    return;
  }
  segment.format = v1::TEXT_FORMAT_XML;
  segment.own_marks = true;
  for (const TextPiece& piece : pieces_) {
    switch (piece.kind) {
      case Kind::kText:
        AppendEscaped(piece.bytes, segment.text);
        break;
      case Kind::kOpen:
        absl::StrAppend(&segment.text, "<g id=\"", piece.id, "\">");
        break;
      case Kind::kClose:
        segment.text += "</g>";
        break;
      case Kind::kMark:
        absl::StrAppend(&segment.text, "<x id=\"", piece.id, "\"/>");
        break;
      case Kind::kCode:
        absl::StrAppend(&segment.text, "<k id=\"", piece.id, "\">");
        AppendEscaped(piece.shown, segment.text);
        segment.text += "</k>";
        break;
    }
  }
}

absl::StatusOr<std::vector<TextPiece>> MarkedText::Read(absl::string_view translation) const {
  std::vector<TextPiece> read;
  std::map<int, const TextPiece*> opens, closes, marks;
  for (const TextPiece& piece : pieces_) {
    if (piece.kind == Kind::kOpen) opens[piece.id] = &piece;
    if (piece.kind == Kind::kClose) closes[piece.id] = &piece;
    if (piece.kind == Kind::kMark || piece.kind == Kind::kCode) marks[piece.id] = &piece;
  }
  if (opens.empty() && marks.empty()) {
    read.push_back({.kind = Kind::kText, .bytes = std::string(translation)});
    return read;
  }
  std::vector<int> open;
  std::string text;
  const auto end_text = [&] {
    if (!text.empty()) read.push_back({.kind = Kind::kText, .bytes = std::exchange(text, "")});
  };
  const auto id_of = [](absl::string_view tag) -> std::optional<int> {
    const size_t begin = tag.find("id=\"");
    if (begin == absl::string_view::npos) return std::nullopt;
    tag.remove_prefix(begin + 4);
    int id = 0;
    return absl::SimpleAtoi(tag.substr(0, tag.find('"')), &id) ? std::optional(id) : std::nullopt;
  };
  while (!translation.empty()) {
    if (translation[0] == '&' && TakeXmlEntity(translation, text)) continue;
    const size_t end = translation[0] == '<' ? translation.find('>') : absl::string_view::npos;
    if (end == absl::string_view::npos) {
      text += translation[0];
      translation.remove_prefix(1);
      continue;
    }
    end_text();
    const absl::string_view tag = translation.substr(0, end + 1);
    translation.remove_prefix(end + 1);
    if (tag == "</k>") continue;  // behind code
    if (absl::StartsWith(tag, "</")) {
      if (open.empty()) return InvalidArgument("its markup is not nested: ", Quoted(tag, 40));
      read.push_back(*closes[open.back()]);
      open.pop_back();
      continue;
    }
    std::map<int, const TextPiece*>& known = absl::StartsWith(tag, "<g") ? opens : marks;
    const std::optional<int> id = id_of(tag);
    const auto found = id ? known.find(*id) : known.end();
    if (found == known.end()) return InvalidArgument("it has markup that the source does not have: ", Quoted(tag, 40));
    read.push_back(*found->second);
    if (&known == &opens) {
      open.push_back(*id);
      if (absl::EndsWith(tag, "/>")) {
        read.push_back(*closes[*id]);
        open.pop_back();
      }
    }
    // What code shows is not read again.
    if (found->second->kind == Kind::kCode)
      translation.remove_prefix(std::min(translation.find("</k>"), translation.size()));
    known.erase(found);
  }
  end_text();
  if (!open.empty()) return InvalidArgument("its markup is not nested");
  if (!opens.empty()) return InvalidArgument("it lost ", Quoted(opens.begin()->second->bytes, 40));
  if (!marks.empty()) return InvalidArgument("it lost ", Quoted(marks.begin()->second->bytes, 40));
  return read;
}

std::string BytesOf(const std::vector<TextPiece>& pieces) {
  std::string bytes;
  for (const TextPiece& piece : pieces) bytes += piece.bytes;
  return bytes;
}

bool HasWords(absl::string_view text) {
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    if (IsLetter(NextCodePoint(text, i))) return true;
  }
  return false;
}

void AddTaggedText(absl::string_view text, const TagRules& rules, MarkedText& marked) {
  struct Element {
    std::string name;
    int id;
  };
  std::vector<Element> open;
  while (!text.empty()) {
    const size_t begin = rules.braces ? text.find_first_of("<{") : text.find('<');
    AddCharacters(text.substr(0, begin), rules, marked);
    if (begin == absl::string_view::npos) return;
    text.remove_prefix(begin);
    if (text[0] == '{') {
      const size_t close = text.substr(0, 200).find('}');
      if (absl::StartsWith(text, "{\\") && close != absl::string_view::npos) {
        marked.AddMark(text.substr(0, close + 1));
        text.remove_prefix(close + 1);
      } else {
        marked.AddText("{");
        text.remove_prefix(1);
      }
      continue;
    }
    size_t name = 1;
    if (name < text.size() && text[name] == '/') ++name;
    size_t name_end = name;
    while (name_end < text.size() && (absl::ascii_isalnum(static_cast<unsigned char>(text[name_end])) ||
                                      (name_end > name && absl::StrContains("-_:", text.substr(name_end, 1))))) {
      ++name_end;
    }
    // A value of an attribute may hold ">"; what is longer than this is no tag.
    const size_t limit = std::min<size_t>(text.size(), 4000);
    size_t end = name_end;
    char quote = 0;
    while (end < limit && (quote != 0 || text[end] != '>') && (quote != 0 || text[end] != '<')) {
      if (quote != 0 ? text[end] == quote : text[end] == '"' || text[end] == '\'') quote = quote != 0 ? 0 : text[end];
      ++end;
    }
    const char after_name = name_end < text.size() ? text[name_end] : ' ';
    const bool is_tag = end < limit && text[end] == '>' && name_end > name &&
                        (after_name == '>' || after_name == '/' || after_name == '.' ||
                         absl::ascii_isspace(static_cast<unsigned char>(after_name)) ||
                         absl::ascii_isdigit(static_cast<unsigned char>(text[name])));
    const bool is_time = is_tag || (end < limit && text[end] == '>' && name_end > name && name == 1 &&
                                    absl::ascii_isdigit(static_cast<unsigned char>(text[1])));
    if (!is_time) {
      marked.AddText("<");
      text.remove_prefix(1);
      continue;
    }
    const absl::string_view tag = text.substr(0, end + 1);
    const std::string element = absl::AsciiStrToLower(text.substr(name, name_end - name));
    text.remove_prefix(end + 1);
    const bool alone = absl::EndsWith(tag, "/>") || element == "br" || element == "hr" || element == "img" ||
                       element == "wbr" || element == "input" ||
                       absl::ascii_isdigit(static_cast<unsigned char>(element[0]));
    if (name == 1 && !alone) {
      open.push_back({element, marked.Open(tag)});
    } else if (alone) {
      marked.AddMark(tag);
    } else {
      const auto found = std::find_if(open.rbegin(), open.rend(), [&](const Element& e) { return e.name == element; });
      if (found == open.rend()) {
        marked.AddMark(tag);
      } else {
        marked.Close(found->id, tag);
        open.erase(found.base() - 1, open.end());
      }
    }
  }
}

std::vector<std::vector<TextPiece>> CutPieces(const std::vector<TextPiece>& pieces, const std::vector<TextCut>& cuts) {
  std::vector<std::vector<TextPiece>> parts(1);
  size_t position = 0;  // in the words
  size_t next = 0;      // cut
  size_t left_out = 0;  // the words before this position are not taken
  for (const TextPiece& piece : pieces) {
    const auto cut = [&] {
      left_out = cuts[next++].begin;
      parts.emplace_back();
    };
    if (piece.kind != Kind::kText) {
      if (piece.kind != Kind::kClose && next < cuts.size() && position >= cuts[next].end) cut();
      parts.back().push_back(piece);
      continue;
    }
    for (size_t i = 0; i < piece.bytes.size();) {
      if (position + i < left_out) {
        i = std::min(left_out - position, piece.bytes.size());
      } else if (next < cuts.size() && position + i >= cuts[next].end) {
        cut();
      } else {
        const size_t end =
            next < cuts.size() ? std::min(cuts[next].end - position, piece.bytes.size()) : piece.bytes.size();
        parts.back().push_back({.kind = Kind::kText, .bytes = piece.bytes.substr(i, end - i)});
        i = end;
      }
    }
    position += piece.bytes.size();
  }
  return parts;
}

void ReopenMarks(std::vector<std::vector<TextPiece>>& parts) {
  std::map<int, TextPiece> closes;
  for (const std::vector<TextPiece>& part : parts) {
    for (const TextPiece& piece : part) {
      if (piece.kind == Kind::kClose) closes[piece.id] = piece;
    }
  }
  std::vector<TextPiece> open;
  for (std::vector<TextPiece>& part : parts) {
    const std::vector<TextPiece> opened_before = open;
    for (const TextPiece& piece : part) {
      if (piece.kind == Kind::kOpen) open.push_back(piece);
      if (piece.kind == Kind::kClose && !open.empty()) open.pop_back();
    }
    part.insert(part.begin(), opened_before.begin(), opened_before.end());
    for (auto piece = open.rbegin(); piece != open.rend(); ++piece) part.push_back(closes[piece->id]);
  }
}

}  // namespace heed::client
