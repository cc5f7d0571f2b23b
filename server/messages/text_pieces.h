// SPDX-License-Identifier: Apache-2.0
// Translations of texts as they grow: sentences are translated side by side, and here their pieces are put into the
// order of their text.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "models/kinds/translator.h"

namespace heed {

// The texts of one request. Not thread-safe.
class TextPieces {
 public:
  // `places` of each task and the number of texts, as Translator::Start gave them.
  TextPieces(absl::Span<const SentencePlace> places, size_t texts);

  // The translation of sentence `task` grew by `piece`.
  void Grow(size_t task, const std::string& piece);
  // Sentence `task` is finished, after its last piece.
  void Finish(size_t task);

  struct Piece {
    size_t text = 0;
    std::string translation;  // follows the piece before it; empty only if `done`
    bool done = false;        // all sentences of the text are finished: its last piece, but for Rest
  };
  // A text that has something new, those before others in the request first. False: none has.
  bool Take(Piece& piece);
  // What the pieces taken so far lack of `whole`, the text's translation: white space behind its last words.
  std::string Rest(size_t text, const std::string& whole) const;
  // The tasks of a text: from `first` on, before `last`.
  struct Range {
    size_t first = 0, last = 0;
  };
  Range tasks_of(size_t text) const { return texts_[text].tasks; }
  size_t texts() const { return texts_.size(); }

 private:
  struct Sentence {
    size_t text = 0;
    std::string separator;  // before it
    std::string waiting;    // of its translation, while sentences before it are not finished
    bool finished = false;
  };
  struct Text {
    Range tasks;
    size_t next = 0;         // the first task that is not finished
    std::string separators;  // that no words have followed yet
    std::string ready;       // of its translation, not taken yet
    size_t taken = 0;        // bytes
  };
  // Moves what may follow the text's pieces to `ready`.
  void Advance(size_t text);

  std::vector<Sentence> sentences_;
  std::vector<Text> texts_;
  std::set<size_t> new_;  // texts that have something new
};

}  // namespace heed
