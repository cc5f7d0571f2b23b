// SPDX-License-Identifier: Apache-2.0
// SentencePiece, and the only place that includes it: its header defines absl::string_view in a way that excludes
// Abseil's own, so neither this header nor subwords.cc may include Abseil.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace heed {

// A piece of a text, and the bytes of the text that it came from.
struct SubwordPiece {
  std::string piece;  // of a run of characters that the model does not have: the run itself
  int id = 0;
  size_t begin = 0, end = 0;
};

// A SentencePiece model. Immutable, thread-safe.
class Subwords {
 public:
  // Reads a *.spm file. On failure returns null and says in `error` why, without the file's name. If `vocabulary` is
  // not empty, texts become pieces that are in it, or single characters, as SentencePiece's SetVocabulary does.
  static std::unique_ptr<const Subwords> Load(const std::string& path, std::string& error,
                                              const std::vector<std::string>& vocabulary = {});
  ~Subwords();

  std::vector<std::string> Encode(const std::string& text) const;
  // The same pieces with their places; pieces of one character that normalization made several of share its place.
  // `text` is shorter than 4 GiB.
  std::vector<SubwordPiece> EncodeWithPlaces(const std::string& text) const;
  // The text of pieces, without white space at its ends. Pieces that the model does not have are taken as they are,
  // and their marks of blanks become blanks.
  std::string Decode(const std::vector<std::string>& pieces) const;
  int size() const;
  const std::string& piece(int i) const;
  // The id of a piece, or the unknown piece's.
  int Find(const std::string& piece) const;
  int unknown() const;
  // Whether a piece is one that SentencePiece makes of no text, as "<s>".
  bool IsControl(int i) const;

 private:
  Subwords();
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace heed
