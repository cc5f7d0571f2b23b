// SPDX-License-Identifier: Apache-2.0
// Between text and token ids, as Hugging Face's MarianTokenizer does it: SentencePiece makes the pieces, vocab.json
// gives their ids (a SentencePiece model's own ids are not the network's).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/text/added_tokens.h"
#include "models/text/subwords.h"
#include "models/text/translation_tokenizer.h"

namespace heed {

// Special ids of a network, and how many ids its two sides have.
struct TokenIds {
  int32_t source_vocabulary = 0;
  int32_t target_vocabulary = 0;
  int32_t eos = 0;
  int32_t pad = 0;
};

// Immutable after load, thread-safe.
class MarianTokenizer : public TranslationTokenizer {
 public:
  // Reads source.spm, target.spm, vocab.json, tokenizer_config.json and, if that says separate_vocabs,
  // target_vocab.json; and the tokens that were added to them (models/text/added_tokens.h).
  static absl::StatusOr<MarianTokenizer> Load(const std::string& directory, const TokenIds& ids);
  MarianTokenizer() = default;

  // The language code is the first token, eos the last.
  EncodedText EncodeSource(absl::string_view code, absl::string_view text) const override;
  std::vector<int32_t> EncodeTargetPrefix(absl::string_view text) const override;
  // Unknown tokens are left out unless they have a spelling.
  std::string Decode(absl::Span<const int32_t> ids, absl::Span<const std::string> spellings) const override;

  const std::string& SourcePiece(int32_t id) const override { return source_pieces_[static_cast<size_t>(id)]; }
  const std::string& TargetPiece(int32_t id) const override { return target_pieces_[static_cast<size_t>(id)]; }

  const SpellingStyle& style() const override { return style_; }
  bool IsLeftOut(int32_t id) const override;
  std::optional<int32_t> target_unknown() const override { return target_unknown_; }

  // The ">>deu<<" of its vocabulary.
  const std::vector<std::string>& language_codes() const override { return language_codes_; }

  const std::string& source_language() const override { return source_language_; }
  const std::string& target_language() const override { return target_language_; }

 private:
  using Vocabulary = absl::flat_hash_map<std::string, int32_t>;
  void AppendPieces(const Subwords& subwords, const Vocabulary& vocabulary, int32_t unknown, absl::string_view text,
                    EncodedText& encoded) const;

  const AddedToken* AddedTarget(int32_t id) const;  // null: the id is a piece

  SpellingStyle style_ = {true, "", false};
  std::unique_ptr<const Subwords> source_, target_;
  Vocabulary source_ids_, target_ids_;
  std::vector<std::string> source_pieces_, target_pieces_;
  AddedTokens added_;
  absl::flat_hash_map<int32_t, const AddedToken*> added_by_id_;  // of the target
  std::vector<std::string> language_codes_;                      // sorted
  std::string source_language_, target_language_;
  int32_t eos_ = 0, pad_ = 0, source_unknown_ = 0, target_unknown_ = 0;
  bool clean_up_spaces_ = false;
};

}  // namespace heed
