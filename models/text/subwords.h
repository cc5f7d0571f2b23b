// SPDX-License-Identifier: Apache-2.0
// SentencePiece, and the only place that includes it: its header defines absl::string_view in a way that excludes
// Abseil's own, so neither this header nor subwords.cc may include Abseil.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace heed {

// A SentencePiece model. Immutable, thread-safe.
class Subwords {
 public:
  // Reads a *.spm file. On failure returns null and says in `error` why, without the file's name. If `vocabulary` is
  // not empty, texts become pieces that are in it, or single characters, as SentencePiece's SetVocabulary does.
  static std::unique_ptr<const Subwords> Load(const std::string& path, std::string& error,
                                              const std::vector<std::string>& vocabulary = {});
  ~Subwords();

  std::vector<std::string> Encode(const std::string& text) const;
  // The text of pieces, without white space at its ends. Pieces that the model does not have are taken as they are,
  // and their marks of blanks become blanks.
  std::string Decode(const std::vector<std::string>& pieces) const;
  int size() const;
  const std::string& piece(int i) const;

 private:
  Subwords();
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace heed
