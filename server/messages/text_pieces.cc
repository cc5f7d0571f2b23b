// SPDX-License-Identifier: Apache-2.0
#include "server/messages/text_pieces.h"

#include <utility>

namespace heed {

TextPieces::TextPieces(absl::Span<const SentencePlace> places, size_t texts) : texts_(texts) {
  sentences_.resize(places.size());
  for (size_t task = 0; task < places.size(); ++task) {
    const auto text = static_cast<size_t>(places[task].text);
    sentences_[task].text = text;
    sentences_[task].separator = places[task].separator;
    if (places[task].sentence == 0) texts_[text].tasks.first = texts_[text].next = task;
    texts_[text].tasks.last = task + 1;
  }
}

void TextPieces::Grow(size_t task, const std::string& piece) {
  sentences_[task].waiting += piece;
  Advance(sentences_[task].text);
}

void TextPieces::Finish(size_t task) {
  sentences_[task].finished = true;
  Advance(sentences_[task].text);
}

void TextPieces::Advance(size_t index) {
  Text& text = texts_[index];
  while (text.next < text.tasks.last) {
    Sentence& sentence = sentences_[text.next];
    if (!sentence.waiting.empty() || sentence.finished) {
      text.separators += std::exchange(sentence.separator, {});
    }
    if (!sentence.waiting.empty()) {
      text.ready += std::exchange(text.separators, {});
      text.ready += std::exchange(sentence.waiting, {});
    }
    if (!sentence.finished) break;
    ++text.next;
  }
  if (!text.ready.empty() || text.next == text.tasks.last) new_.insert(index);
}

bool TextPieces::Take(Piece& piece) {
  if (new_.empty()) return false;
  piece.text = *new_.begin();
  new_.erase(new_.begin());
  Text& text = texts_[piece.text];
  piece.translation = std::exchange(text.ready, {});
  piece.done = text.next == text.tasks.last;
  text.taken += piece.translation.size();
  return true;
}

std::string TextPieces::Rest(size_t text, const std::string& whole) const {
  return texts_[text].taken < whole.size() ? whole.substr(texts_[text].taken) : std::string();
}

}  // namespace heed
