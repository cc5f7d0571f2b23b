// SPDX-License-Identifier: Apache-2.0
#include "client/documents/markdown_reader.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "client/documents/markdown_inlines.h"

namespace heed::client {
namespace {

// Blocks within this many quotes and lists are found; deeper ones stay.
constexpr int kMaxBlockDepth = 100;

// Lines with definitions of links that a paragraph may begin with.
constexpr int kMaxDefinitions = 1000;

struct FreeMarkdown {
  void operator()(cmark_node* node) const { cmark_node_free(node); }
  void operator()(cmark_parser* parser) const { cmark_parser_free(parser); }
};

std::unique_ptr<cmark_node, FreeMarkdown> ParseMarkdown(const std::string& text) {
  cmark_gfm_core_extensions_ensure_registered();
  const std::unique_ptr<cmark_parser, FreeMarkdown> parser(cmark_parser_new(CMARK_OPT_FOOTNOTES));
  for (const char* const name : {"table", "strikethrough", "tasklist"}) {
    if (cmark_syntax_extension* const extension = cmark_find_syntax_extension(name)) {
      cmark_parser_attach_syntax_extension(parser.get(), extension);
    }
  }
  cmark_parser_feed(parser.get(), text.data(), text.size());
  return std::unique_ptr<cmark_node, FreeMarkdown>(cmark_parser_finish(parser.get()));
}

bool IsNode(cmark_node* node, absl::string_view type) { return type == cmark_node_get_type_string(node); }

// A value of the front matter.
struct FrontMatterValue {
  size_t begin = 0;  // within the document, with its quotation marks
  size_t end = 0;
  std::string text;
  char quote = 0;
};

class MarkdownReader : public DocumentReader {
 public:
  MarkdownReader(TextInput& input, const MarkdownOptions& options) : input_(input), options_(options) {}

  absl::StatusOr<std::optional<DocumentPart>> Next() override {
    if (!read_) HEED_RETURN_IF_ERROR(Read());
    if (!front_matter_.empty()) {
      const FrontMatterValue value = std::move(front_matter_.front());
      front_matter_.pop_front();
      return ValuePart(value);
    }
    while (!blocks_.empty()) {
      MarkdownInlines block = std::move(blocks_.front());
      blocks_.pop_front();
      if (block.begin() < written_) continue;  // two blocks at one place: the first has it
      return TextPart(std::move(block));
    }
    if (written_ == text_->size()) return std::nullopt;
    const size_t begin = std::exchange(written_, text_->size());
    return KeptPart(text_->substr(begin));
  }

 private:
  absl::Status Read() {
    read_ = true;
    HEED_ASSIGN_OR_RETURN(std::string text, input_.Rest());
    text_ = std::make_shared<const std::string>(input_.mark() + text);
    const size_t front = FrontMatterEnd();
    if (options_.front_matter) ReadFrontMatter(front);
    // Lines keep their numbers.
    std::string body(
        static_cast<size_t>(std::count(text_->begin(), text_->begin() + static_cast<std::ptrdiff_t>(front), '\n')),
        '\n');
    body += text_->substr(front);
    body += FootnoteReferences(body);
    for (size_t i = 0; i <= text_->size(); ++i) {
      if (i == 0 || (*text_)[i - 1] == '\n') lines_.push_back(i);
    }
    lines_.push_back(text_->size());
    const auto document = ParseMarkdown(body);
    if (document == nullptr) return input_.Error("this is no Markdown");
    body_begin_ = front;
    Visit(document.get(), /*quotes=*/0, /*depth=*/0);
    std::sort(blocks_.begin(), blocks_.end(),
              [](const MarkdownInlines& a, const MarkdownInlines& b) { return a.begin() < b.begin(); });
    return absl::OkStatus();
  }

  // Behind "---", lines and "---" at the beginning of the document (or "+++"); 0: there is no front matter.
  size_t FrontMatterEnd() const {
    const absl::string_view text = *text_;
    const size_t begin = input_.mark().size();
    const absl::string_view fence = text.substr(begin, 3);
    if (fence != "---" && fence != "+++") return begin;
    size_t line = text.find('\n', begin);
    if (line == absl::string_view::npos ||
        !absl::StripAsciiWhitespace(text.substr(begin + 3, line - begin - 3)).empty()) {
      return begin;
    }
    for (++line; line < text.size();) {
      const size_t end = std::min(text.find('\n', line), text.size() - 1) + 1;
      const absl::string_view bytes = absl::StripTrailingAsciiWhitespace(text.substr(line, end - line));
      if (bytes == fence || (fence == "---" && bytes == "...")) return end;
      line = end;
    }
    return begin;
  }

  // title: "Words"
  void ReadFrontMatter(size_t end) {
    const absl::string_view text = *text_;
    const bool toml = absl::StartsWith(text.substr(input_.mark().size()), "+++");
    for (size_t line = 0; line < end;) {
      const size_t next = std::min(text.find('\n', line), text.size() - 1) + 1;
      const absl::string_view bytes = text.substr(line, next - line);
      for (const absl::string_view key : {"title", "description", "summary", "subtitle"}) {
        if (!absl::StartsWith(bytes, key)) continue;
        size_t i = key.size();
        while (i < bytes.size() && bytes[i] == ' ') ++i;
        if (i >= bytes.size() || bytes[i] != (toml ? '=' : ':')) continue;
        const absl::string_view value = absl::StripAsciiWhitespace(bytes.substr(i + 1));
        FrontMatterValue found;
        found.begin = static_cast<size_t>(value.data() - text.data());
        found.end = found.begin + value.size();
        const bool quoted = value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
        found.text = std::string(quoted ? value.substr(1, value.size() - 2) : value);
        if (quoted) found.quote = value[0];
        // Block scalars, lists, references, and escapes of their own stay.
        const bool plain =
            quoted ? !absl::StrContains(found.text, value.substr(0, 1)) && !absl::StrContains(found.text, '\\')
                   : !toml && !value.empty() && !absl::StrContains("|>[{&*!#%@`\"'", value.substr(0, 1));
        if (plain && HasWords(found.text)) front_matter_.push_back(std::move(found));
      }
      line = next;
    }
  }

  // cmark-gfm leaves out footnotes that nothing refers to: a paragraph behind the document that refers to all.
  static std::string FootnoteReferences(absl::string_view text) {
    std::string references;
    for (size_t line = 0; line < text.size();) {
      size_t i = line;
      while (i < text.size() && i < line + 3 && text[i] == ' ') ++i;
      const size_t end = text.find_first_of("]\n", i);
      if (absl::StartsWith(text.substr(i), "[^") && end != absl::string_view::npos &&
          absl::StartsWith(text.substr(end), "]:")) {
        absl::StrAppend(&references, references.empty() ? "\n\n" : " ", text.substr(i, end + 1 - i));
      }
      line = std::min(text.find('\n', line), text.size() - 1) + 1;
    }
    return references;
  }

  // Blocks are visited in the order of the tree, by a recursion that is as deep as quotes and lists are nested.
  void Visit(cmark_node* parent, int quotes, int depth) {
    if (depth > kMaxBlockDepth) return;
    for (cmark_node* node = cmark_node_first_child(parent); node != nullptr; node = cmark_node_next(node)) {
      const cmark_node_type type = cmark_node_get_type(node);
      if (type == CMARK_NODE_PARAGRAPH) {
        AddParagraph(node, quotes);
      } else if (type == CMARK_NODE_HEADING) {
        AddHeading(node, quotes);
      } else if (IsNode(node, "table")) {
        for (cmark_node* row = cmark_node_first_child(node); row != nullptr; row = cmark_node_next(row))
          AddRow(row, quotes);
      } else if (type != CMARK_NODE_CODE_BLOCK && type != CMARK_NODE_HTML_BLOCK && type != CMARK_NODE_THEMATIC_BREAK) {
        Visit(node, quotes + (type == CMARK_NODE_BLOCK_QUOTE ? 1 : 0), depth + 1);
      }
    }
  }

  // Of a line from 1; the end of the text behind the last one.
  size_t LineBegin(int line) const {
    return lines_[std::min(static_cast<size_t>(std::max(line, 1)) - 1, lines_.size() - 1)];
  }

  // Where the content of a line begins, behind what begins lines of its containers.
  size_t ContentBegin(size_t at, int quotes) const {
    while (at < text_->size() && ((*text_)[at] == ' ' || (*text_)[at] == '\t' || ((*text_)[at] == '>' && quotes-- > 0)))
      ++at;
    return at;
  }

  bool AddBlock(cmark_node* node, size_t begin, size_t end, int quotes, bool cell) {
    if (begin < body_begin_ || begin >= end) return false;
    std::optional<MarkdownInlines> block = MarkdownInlines::Locate(node, *text_, begin, end, quotes, cell);
    if (!block || block->end() <= block->begin()) return false;
    if (block->text().has_words()) blocks_.push_back(*std::move(block));
    return true;
  }

  void AddParagraph(cmark_node* node, int quotes) {
    const int first = cmark_node_get_start_line(node);
    const int last = std::min(cmark_node_get_end_line(node), static_cast<int>(lines_.size()) - 1);
    const size_t end = LineBegin(last + 1);
    if (AddBlock(node, LineBegin(first) + static_cast<size_t>(std::max(cmark_node_get_start_column(node), 1)) - 1, end,
                 quotes, false)) {
      return;
    }
    // Definitions of links were before it: cmark-gfm does not count them.
    for (int line = first + 1; line <= std::min(last, first + kMaxDefinitions); ++line) {
      if (AddBlock(node, ContentBegin(LineBegin(line), quotes), end, quotes, false)) return;
    }
  }

  void AddHeading(cmark_node* node, int quotes) {
    const int first = cmark_node_get_start_line(node);
    size_t begin = LineBegin(first) + static_cast<size_t>(std::max(cmark_node_get_start_column(node), 1)) - 1;
    size_t marks = begin;
    while (marks < text_->size() && (*text_)[marks] == '#') ++marks;
    const bool atx = marks > begin && marks - begin <= 6 && marks < text_->size() &&
                     absl::ascii_isspace(static_cast<unsigned char>((*text_)[marks]));
    if (atx) {
      begin = marks;
      while (begin < text_->size() && ((*text_)[begin] == ' ' || (*text_)[begin] == '\t')) ++begin;
    }
    const int last = std::max(first, std::min(cmark_node_get_end_line(node), static_cast<int>(lines_.size()) - 1));
    const size_t end = LineBegin(atx ? first + 1 : last + 1);
    if (AddBlock(node, begin, end, quotes, false)) return;
    for (int line = first + 1; line <= std::min(last, first + kMaxDefinitions) && !atx; ++line) {
      if (AddBlock(node, ContentBegin(LineBegin(line), quotes), end, quotes, false)) return;
    }
  }

  // Cells are between pipes that no backslash is before.
  void AddRow(cmark_node* row, int quotes) {
    const int line = cmark_node_get_start_line(row);
    size_t at = ContentBegin(LineBegin(line), quotes);
    const size_t end = LineBegin(line + 1);
    const bool header = IsNode(row, "table_header");
    const auto column = static_cast<size_t>(std::max(cmark_node_get_start_column(row), 1)) - 1;
    if (header && LineBegin(line) + column < end) at = std::max(at, LineBegin(line) + column);
    if (at < end && (*text_)[at] == '|') ++at;
    for (cmark_node* cell = cmark_node_first_child(row); cell != nullptr && at < end; cell = cmark_node_next(cell)) {
      size_t close = at;
      while (close < end && (*text_)[close] != '|' && (*text_)[close] != '\n') close += (*text_)[close] == '\\' ? 2 : 1;
      close = std::min(close, end);
      size_t begin = at;
      while (begin < close && absl::ascii_isspace(static_cast<unsigned char>((*text_)[begin]))) ++begin;
      AddBlock(cell, begin, close, quotes, true);
      at = close + 1;
    }
  }

  // A value, with what is before it. One that has to be quoted gets quotation marks.
  DocumentPart ValuePart(const FrontMatterValue& value) {
    DocumentPart part;
    Segment& segment = part.segments.emplace_back();
    segment.line = LineOf(value.begin);
    segment.text = value.text;
    part.render = [value, text = text_, begin = written_](Translations translations) {
      std::string bytes = text->substr(begin, value.begin - begin);
      if (!translations[0] || *translations[0] == value.text) return text->substr(begin, value.end - begin);
      const std::string line = absl::StrReplaceAll(*translations[0], {{"\r", " "}, {"\n", " "}});
      if (value.quote == '\'') return absl::StrCat(bytes, "'", absl::StrReplaceAll(line, {{"'", "''"}}), "'");
      const bool plain = value.quote == 0 && !absl::StrContains(line, ": ") && !absl::StrContains(line, " #") &&
                         !absl::EndsWith(line, ":") && !line.empty() &&
                         !absl::StrContains("|>[]{}&*!#%@`\"',?:- ", absl::string_view(line).substr(0, 1));
      if (plain) return bytes + line;
      return absl::StrCat(bytes, "\"", absl::StrReplaceAll(line, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
    };
    written_ = value.end;
    return part;
  }

  // Calls come with growing places.
  int64_t LineOf(size_t at) {
    line_ += std::count(text_->begin() + static_cast<std::ptrdiff_t>(counted_),
                        text_->begin() + static_cast<std::ptrdiff_t>(at), '\n');
    counted_ = at;
    return line_;
  }

  DocumentPart TextPart(MarkdownInlines block) {
    DocumentPart part;
    Segment& segment = part.segments.emplace_back();
    segment.line = LineOf(block.begin());
    block.text().FillSegment(segment);
    const auto shared = std::make_shared<const MarkdownInlines>(std::move(block));
    part.check = [shared](size_t, const std::string& translation) { return shared->text().Read(translation).status(); };
    part.render = [shared, text = text_, begin = written_, source = segment.text](Translations translations) {
      std::string bytes = text->substr(begin, shared->begin() - begin);
      if (translations[0] && *translations[0] != source) return bytes + shared->Render(*translations[0]);
      return bytes + text->substr(shared->begin(), shared->end() - shared->begin());
    };
    written_ = shared->end();
    return part;
  }

  TextInput& input_;
  const MarkdownOptions options_;
  bool read_ = false;
  std::shared_ptr<const std::string> text_;
  size_t body_begin_ = 0;
  std::vector<size_t> lines_;  // where each begins; the last entry is the end of the text
  std::deque<FrontMatterValue> front_matter_;
  std::deque<MarkdownInlines> blocks_;
  int64_t line_ = 1;  // at counted_
  size_t counted_ = 0;
  size_t written_ = 0;  // up to here parts were given
};

}  // namespace

std::unique_ptr<DocumentReader> ReadMarkdown(TextInput& input, const MarkdownOptions& options) {
  return std::make_unique<MarkdownReader>(input, options);
}

}  // namespace heed::client
