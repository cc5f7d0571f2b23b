// SPDX-License-Identifier: Apache-2.0
// Makes a ScoreResult of the tokens of a text and of what a network answers about each, whatever order it read them in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/kinds/language_model.h"
#include "models/language/causal_network.h"
#include "models/language/unknown_words.h"
#include "models/text/text_tokenizer.h"

namespace heed {

// What of the tokens of context and text together is what.
struct ScoreLayout {
  int64_t unscored = 0;      // the first ones are context, or an end-of-text token to begin with
  int64_t text_offset = 0;   // bytes of the context: offsets of scored tokens count from here
  bool has_offsets = false;  // otherwise the request gave ids
};

struct ScoredTokens {
  std::vector<TextToken> tokens;
  ScoreLayout layout;
};

class ScoreRecord {
 public:
  // `request`, `tokenizer` and `result` outlive it.
  ScoreRecord(const ScoreRequest& request, const TextTokenizer& tokenizer, ScoredTokens tokens, ScoreResult& result);

  int64_t count() const { return static_cast<int64_t>(tokens_.tokens.size()); }
  int64_t unscored() const { return tokens_.layout.unscored; }
  const std::vector<int32_t>& ids() const { return ids_; }
  int64_t answer_bytes() const;
  // What is asked about a token.
  NextTokenQuery QueryOf(int64_t index) const;
  // Takes the scored tokens one after the other. No answer, or one that is not defined: it has no probability.
  // `attention`: its row over the columns of the answer, if asked for; empty: zeros.
  void Add(int64_t index, const NextTokenAnswer* answer, const std::vector<float>& attention);

 private:
  TokenScore ScoreOf(const TextToken& token) const;
  void TakeAnswer(const TextToken& token, const NextTokenAnswer& answer);

  const ScoreRequest& request_;
  const TextTokenizer& tokenizer_;
  const ScoredTokens tokens_;
  ScoreResult& result_;
  std::vector<int32_t> ids_;  // of all tokens
  UnknownWords unknown_words_;
};

}  // namespace heed
