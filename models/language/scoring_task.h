// SPDX-License-Identifier: Apache-2.0
// Scores a text: reads it, a stretch in each step, and asks for the probability of each token on the way.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "models/kinds/language_model.h"
#include "models/language/causal_network.h"
#include "models/language/causal_task.h"
#include "models/text/text_tokenizer.h"

namespace heed {

class ScoringTask : public ScoreTask, public CausalTask {
 public:
  // What of `tokens`, those of context and text together, is what.
  struct Layout {
    int64_t unscored = 0;      // the first ones are context, or an end-of-text token to begin with
    int64_t text_offset = 0;   // bytes of the context: offsets of scored tokens count from here
    bool has_offsets = false;  // otherwise the request gave ids
  };

  // The network and the tokenizer outlive it. Without tokens it is finished.
  ScoringTask(const CausalNetwork& network, const TextTokenizer& tokenizer, ScoreRequest request,
              std::vector<TextToken> tokens, Layout layout);

  int64_t next_rows() const override;
  int64_t peak_bytes() const override;
  int64_t answer_bytes() const override;
  std::shared_ptr<const State> state() const override { return state_; }

  void AppendReadings(std::vector<Reading>& readings) override;
  void Take() override;

 private:
  int64_t count() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t stretch() const;
  TokenScore ScoreOf(const TextToken& token) const;
  // The weights over what was held when token `index` was asked about, as a row over the columns of the answer.
  void AddAttention(const std::vector<float>& weights, int64_t index);
  void TakeAnswer(int64_t index, const NextTokenAnswer& answer);
  void CountUnknown(const TextToken& token);
  void Conclude();

  const CausalNetwork& network_;
  const TextTokenizer& tokenizer_;
  const ScoreRequest request_;
  const std::vector<TextToken> tokens_;
  const Layout layout_;
  std::vector<int32_t> ids_;  // of tokens_
  int64_t read_before_ = 0;   // tokens that the state had read
  int64_t next_ = 0;          // the first token that is not read yet

  // Of the step under way.
  std::unique_ptr<TextMemory> memory_;
  std::vector<int64_t> asked_;  // indices of the tokens that the queries are about
  std::vector<NextTokenQuery> queries_;
  std::vector<NextTokenAnswer> answers_;
  std::vector<std::vector<float>> attention_;  // of each query, if asked for

  absl::flat_hash_set<std::string> unknown_words_;
  std::shared_ptr<const State> state_;
};

}  // namespace heed
