// SPDX-License-Identifier: Apache-2.0
// A text with marks in it: tags of subtitles, emphasis of Markdown, links. The server gets it with a neutral element
// for each mark, <g id="1">words</g>, <x id="2"/> and <k id="3">what stays</k>, which it places by alignment; what the
// marks are stays here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/documents/document.h"
#include "client/documents/kept_phrases.h"
#include "client/documents/wrapped_text.h"

namespace heed::client {

// A text, or a mark: one that opens, closes the one that `id` opened, or is alone; or code and the like, which is read
// as a part of the sentence and stays.
struct TextPiece {
  enum class Kind { kText, kOpen, kClose, kMark, kCode };
  Kind kind = Kind::kText;
  int id = 0;         // of marks, from 1; a mark that closes has that of the one that opens
  std::string bytes;  // the text as a reader sees it, or the mark as the document has it
  std::string shown;  // of code: what a reader sees
};

// The text pieces, one after the other.
std::string WordsOf(const std::vector<TextPiece>& pieces);

class MarkedText {
 public:
  void AddText(absl::string_view text);
  // Returns the mark's id.
  int Open(absl::string_view bytes);
  // `id` is open; those that were opened behind it and not closed become marks that are alone.
  void Close(int id, absl::string_view bytes);
  void AddMark(absl::string_view bytes);
  void AddCode(absl::string_view bytes, absl::string_view shown);
  // The same from a piece of another text. `first_id` is added to its id.
  void AddPieces(const std::vector<TextPiece>& pieces);

  // Takes off what is around the words: white space, marks that are alone, and pairs around all of it. What was taken
  // is appended to `before` and put before `after`, as the document has it. Opened marks that nothing closed become
  // marks that are alone. Call once, when all is added.
  void Trim(std::string& before, std::string& after);

  const std::vector<TextPiece>& pieces() const { return pieces_; }
  bool has_words() const;
  std::string words() const { return WordsOf(pieces_); }
  // For the server: `text`, `format` and `own_marks`.
  void FillSegment(Segment& segment) const;
  // The pieces of a translation of that segment, marks with their bytes. INVALID_ARGUMENT: it has not each mark once,
  // or they are not nested.
  absl::StatusOr<std::vector<TextPiece>> Read(absl::string_view translation) const;

 private:
  void CloseRest(size_t from);

  std::vector<TextPiece> pieces_;
  struct OpenMark {
    int id;
    size_t piece;
  };
  std::vector<OpenMark> open_;
  int last_id_ = 0;
};

// The pieces' bytes, one after the other.
std::string BytesOf(const std::vector<TextPiece>& pieces);
// Whether a person would read words in it: letters.
bool HasWords(absl::string_view text);

// How tags are written, beside <name ...>, </name> and <name/>.
struct TagRules {
  bool braces = false;            // {\an8}, of SubRip
  bool entities = false;          // &amp; is a character, as in WebVTT
  std::optional<KeptRules> kept;  // placeholders are code; none: there are none
};
// Appends `text` with its tags as marks.
void AddTaggedText(absl::string_view text, const TagRules& rules, MarkedText& marked);

// The pieces between cuts of their words (the text that all text pieces are together). What is between a cut's end and
// its begin is left out. A mark that closes stays with the words before it, another one goes with those behind it.
std::vector<std::vector<TextPiece>> CutPieces(const std::vector<TextPiece>& pieces, const std::vector<TextCut>& cuts);
// Closes at the end of each part what is open there, and opens it again in the next one.
void ReopenMarks(std::vector<std::vector<TextPiece>>& parts);

}  // namespace heed::client
