// SPDX-License-Identifier: Apache-2.0
// One text of a message file, as its translation sees it: lines, tags, what programs fill in, and the alternatives of
// ICU's message format.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/documents/document.h"
#include "client/documents/kept_phrases.h"
#include "client/documents/marked_text.h"

namespace heed::client {

struct MessageOptions {
  bool icu = false;           // {n, plural, one {# file} other {# files}}: each alternative is a segment
  bool accelerators = false;  // "_Open": the mark goes before a word of the translation
  KeptRules kept;             // placeholders, which stay
  bool check_order = false;   // directives of kept.percent must be in the source's order
};

// Each line is a segment without the blanks around it; lines that only wrap a paragraph are one, which is wrapped
// again.
class MessageText {
 public:
  MessageText(absl::string_view text, const MessageOptions& options);

  const std::vector<Segment>& segments() const { return segments_; }
  // See DocumentPart.
  absl::Status Check(size_t index, const std::string& translation) const;
  // The whole text. None: it is the source's.
  std::optional<std::string> Render(Translations translations) const;

 private:
  struct Piece {
    std::string before;  // bytes that stay
    MarkedText text;     // none: no segment
    std::string after;
    bool is_segment = false;
    int columns = 0;                    // wrapped lines of the source are at most so wide; 0: it is one line
    std::string line_start;             // of wrapped lines but the first
    std::optional<size_t> accelerator;  // the word that it is before
    char accelerator_mark = 0;
  };

  void AddKept(absl::string_view text);
  void AddMessage(absl::string_view text, const KeptRules& kept);
  void AddParagraph(const std::vector<absl::string_view>& lines, const KeptRules& kept);
  // The pieces of an ICU message; false: it is none.
  bool AddIcu(absl::string_view text);
  bool AddIcuRange(absl::string_view text, const std::vector<size_t>& ends, size_t begin, size_t end, int depth,
                   const KeptRules& kept);
  void TakeAccelerator(Piece& piece, absl::string_view& text) const;
  std::string RenderPiece(const Piece& piece, const std::string& translation) const;

  const std::string source_;
  const MessageOptions options_;
  std::vector<Piece> pieces_;
  std::vector<Segment> segments_;  // of the pieces that are segments
};

}  // namespace heed::client
