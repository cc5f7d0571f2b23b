// SPDX-License-Identifier: Apache-2.0
#include "client/documents/message_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/code_points.h"
#include "client/documents/wrapped_text.h"

namespace heed::client {
namespace {

constexpr int kMaxIcuDepth = 10;
constexpr size_t kNoEnd = std::string::npos;
// A line that a following one goes on from is at least so wide.
constexpr int kMinWrappedColumns = 45;

// For each "{" the place of its "}".
std::vector<size_t> BraceEnds(absl::string_view text) {
  std::vector<size_t> ends(text.size(), kNoEnd);
  std::vector<size_t> open;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') open.push_back(i);
    if (text[i] == '}' && !open.empty()) {
      ends[open.back()] = i;
      open.pop_back();
    }
  }
  return ends;
}

absl::string_view IndentOf(absl::string_view line) {
  return line.substr(0, line.size() - absl::StripLeadingAsciiWhitespace(line).size());
}

// Whether the paragraph of `line` goes on in `next`.
bool GoesOn(absl::string_view line, absl::string_view next) {
  return ColumnsOf(line) >= kMinWrappedColumns && !EndsSentence(line) && BeginsSmall(next) &&
         IndentOf(next) == IndentOf(line) &&
         absl::ascii_isalpha(static_cast<unsigned char>(next[IndentOf(next).size()]));
}

}  // namespace

MessageText::MessageText(absl::string_view text, const MessageOptions& options) : source_(text), options_(options) {
  if (!options_.icu || !AddIcu(text)) AddMessage(text, options_.kept);
  for (const Piece& piece : pieces_) {
    if (!piece.is_segment) continue;
    Segment& segment = segments_.emplace_back();
    piece.text.FillSegment(segment);
    segment.placeholders = true;
  }
}

void MessageText::AddKept(absl::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().is_segment) pieces_.emplace_back();
  absl::StrAppend(&pieces_.back().before, text);
}

void MessageText::AddMessage(absl::string_view text, const KeptRules& kept) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  for (size_t begin = 0; begin < lines.size();) {
    size_t end = begin + 1;
    while (end < lines.size() && !lines[end].empty() && GoesOn(lines[end - 1], lines[end])) ++end;
    if (begin > 0) AddKept("\n");
    AddParagraph({lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.begin() + static_cast<std::ptrdiff_t>(end)},
                 kept);
    begin = end;
  }
}

void MessageText::AddParagraph(const std::vector<absl::string_view>& lines, const KeptRules& kept) {
  Piece piece;
  std::string joined(lines[0]);
  for (size_t i = 1; i < lines.size(); ++i) {
    joined = absl::StrCat(absl::StripTrailingAsciiWhitespace(joined), " ", absl::StripLeadingAsciiWhitespace(lines[i]));
  }
  for (const absl::string_view line : lines) {
    if (lines.size() > 1) piece.columns = std::max(piece.columns, ColumnsOf(absl::StripAsciiWhitespace(line)));
  }
  if (lines.size() > 1) piece.line_start = std::string(IndentOf(lines[1]));
  absl::string_view text = joined;
  std::string without_mark;
  if (options_.accelerators) {
    TakeAccelerator(piece, text);
    if (piece.accelerator) {
      without_mark = std::string(text);
      without_mark.erase(without_mark.find(piece.accelerator_mark), 1);
      text = without_mark;
    }
  }
  AddTaggedText(text, {.kept = kept}, piece.text);
  piece.text.Trim(piece.before, piece.after);
  if (!piece.text.has_words()) return AddKept(absl::StrJoin(lines, "\n"));
  piece.is_segment = true;
  pieces_.push_back(std::move(piece));
}

void MessageText::TakeAccelerator(Piece& piece, absl::string_view& text) const {
  for (const char mark : {'_', '&'}) {
    const size_t at = text.find(mark);
    if (at == absl::string_view::npos || text.rfind(mark) != at || at + 1 == text.size() || text.size() > 80) continue;
    const bool begins_word = at == 0 || text[at - 1] == ' ';
    if (!begins_word || !absl::ascii_isalnum(static_cast<unsigned char>(text[at + 1]))) continue;
    if (absl::StrContains(text, ';') || absl::StrContains(text, '<')) continue;
    piece.accelerator_mark = mark;
    const std::vector<TextCut> cuts = CutsOf(text.substr(0, at + 1));
    piece.accelerator = cuts.size();
    return;
  }
}

bool MessageText::AddIcu(absl::string_view text) {
  if (!absl::StrContains(text, "plural,") && !absl::StrContains(text, "select,") &&
      !absl::StrContains(text, "selectordinal,")) {
    return false;
  }
  if (AddIcuRange(text, BraceEnds(text), 0, text.size(), 0, options_.kept)) return true;
  pieces_.clear();
  return false;
}

// {name, plural, offset:1 =0 {none} one {# file} other {# files}}
bool MessageText::AddIcuRange(absl::string_view text, const std::vector<size_t>& ends, size_t begin, size_t end,
                              int depth, const KeptRules& kept) {
  if (depth == kMaxIcuDepth) return false;
  size_t plain = begin;  // the text that is not yet added
  for (size_t i = begin; i < end; ++i) {
    if (text[i] != '{') continue;
    if (ends[i] == kNoEnd || ends[i] > end) return false;
    const size_t close = ends[i];
    const absl::string_view head = text.substr(i + 1, close - i - 1);
    const size_t comma = head.substr(0, 100).find(',');
    const size_t second = comma == absl::string_view::npos ? comma : head.substr(0, 140).find(',', comma + 1);
    const absl::string_view type = second == absl::string_view::npos
                                       ? absl::string_view()
                                       : absl::StripAsciiWhitespace(head.substr(comma + 1, second - comma - 1));
    if (type != "plural" && type != "select" && type != "selectordinal") {
      i = close;  // {name}, {n, number}: a part of the text
      continue;
    }
    AddMessage(text.substr(plain, i - plain), kept);
    KeptRules inner = kept;
    inner.number = inner.number || type != "select";
    size_t done = i;
    for (size_t j = i + 1 + second; j < close; ++j) {
      if (text[j] != '{') continue;
      if (ends[j] == kNoEnd || ends[j] > close) return false;
      AddKept(text.substr(done, j + 1 - done));
      if (!AddIcuRange(text, ends, j + 1, ends[j], depth + 1, inner)) return false;
      j = done = ends[j];
    }
    AddKept(text.substr(done, close + 1 - done));
    i = close;
    plain = close + 1;
  }
  AddMessage(text.substr(plain, end - plain), kept);
  return true;
}

absl::Status MessageText::Check(size_t index, const std::string& translation) const {
  for (const Piece& piece : pieces_) {
    if (!piece.is_segment || index-- != 0) continue;
    absl::StatusOr<std::vector<TextPiece>> read = piece.text.Read(translation);
    if (!read.ok()) return read.status();
    if (!options_.check_order) return absl::OkStatus();
    // All of a text but its tags.
    const auto text_of = [](const std::vector<TextPiece>& pieces) {
      std::string text;
      for (const TextPiece& part : pieces) {
        if (part.kind == TextPiece::Kind::kText || part.kind == TextPiece::Kind::kCode) text += part.bytes;
      }
      return text;
    };
    return CheckOrder(DirectivesOf(text_of(piece.text.pieces()), options_.kept),
                      DirectivesOf(text_of(*read), options_.kept));
  }
  return absl::OkStatus();
}

std::string MessageText::RenderPiece(const Piece& piece, const std::string& translation) const {
  const absl::StatusOr<std::vector<TextPiece>> read = piece.text.Read(translation);
  std::vector<TextPiece> pieces = read.ok() ? *read : piece.text.pieces();
  for (TextPiece& part : pieces) {
    if (part.kind == TextPiece::Kind::kText) part.bytes = absl::StrReplaceAll(part.bytes, {{"\n", " "}});
  }
  std::string text;
  if (piece.columns > 0) {
    std::vector<std::string> lines;
    for (const auto& line : CutPieces(pieces, WrapText(WordsOf(pieces), piece.columns, /*balanced=*/false))) {
      lines.push_back(BytesOf(line));
    }
    text = absl::StrJoin(lines, absl::StrCat("\n", piece.line_start));
  } else {
    text = BytesOf(pieces);
  }
  if (piece.accelerator) {
    const std::vector<TextCut> cuts = CutsOf(text);
    const size_t word = std::min(*piece.accelerator, cuts.size());
    text.insert(word == 0 ? 0 : cuts[word - 1].begin, 1, piece.accelerator_mark);
  }
  return absl::StrCat(piece.before, text, piece.after);
}

std::optional<std::string> MessageText::Render(Translations translations) const {
  bool changed = false;
  for (size_t i = 0; i < segments_.size(); ++i) {
    changed = changed || (translations[i] && *translations[i] != segments_[i].text);
  }
  if (!changed) return std::nullopt;
  std::string text;
  size_t index = 0;
  for (const Piece& piece : pieces_) {
    if (piece.is_segment) {
      text += RenderPiece(piece, translations[index] ? *translations[index] : segments_[index].text);
      ++index;
    } else {
      text += piece.before;
    }
  }
  return text;
}

}  // namespace heed::client
