// SPDX-License-Identifier: Apache-2.0
// The words of a paragraph, a heading or a cell of Markdown, and what is written around them.
#pragma once

#include <cmark-gfm.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/documents/marked_text.h"

namespace heed::client {

// The inline content of one block.
class MarkdownInlines {
 public:
  // Finds the children of `block`, as cmark-gfm read them, in `source` from `begin` on. `quotes`: how many block quotes
  // the block is in, so that their ">" may begin its lines. `cell`: the content is that of a table's cell, which ends
  // at `end`. None: the source says something else, which happens where cmark-gfm is wrong about where a block begins.
  static std::optional<MarkdownInlines> Locate(cmark_node* block, absl::string_view source, size_t begin, size_t end,
                                               int quotes, bool cell);

  size_t begin() const { return begin_; }  // of the content within the source
  size_t end() const { return end_; }
  const MarkedText& text() const { return text_; }
  // The content with a translation, which text().Read() takes.
  std::string Render(absl::string_view translation) const;

 private:
  explicit MarkdownInlines(absl::string_view source) : source_(source) {}

  bool Walk(cmark_node* parent);
  bool WalkText(absl::string_view literal);
  bool WalkSpan(cmark_node* node, size_t delimiter);
  bool WalkLink(cmark_node* node);
  bool WalkCode();
  bool WalkHtml(absl::string_view literal, std::vector<std::pair<std::string, int>>& open);
  bool SkipLinkTail();
  bool SkipLineEnd();  // with the blanks before it and what begins the next line
  size_t SkipPrefix(size_t at) const;
  std::string Flat(size_t begin, size_t end) const;  // the source in one line
  void AddWords(const std::string& text);

  std::string Escape(absl::string_view text, std::map<std::string, size_t>& used,
                     const std::map<std::string, bool>& as_source, char before, char after) const;
  std::string WrapLines(const std::string& bytes, const std::string& shadow) const;

  absl::string_view source_;
  size_t begin_ = 0;
  size_t at_ = 0;
  size_t end_ = 0;
  int quotes_ = 0;
  int depth_ = 0;
  bool cell_ = false;
  MarkedText text_;
  std::string before_;  // around the words
  std::string after_;
  // How the source spells characters that can be written in several ways, in order: "*" as "*" or "\*".
  std::map<std::string, std::vector<std::string>> spellings_;
  // For a paragraph of several lines.
  size_t soft_breaks_ = 0;
  bool breaks_at_sentences_ = true;
  int columns_ = 0;
  std::string line_end_;
  std::string prefix_;
};

}  // namespace heed::client
