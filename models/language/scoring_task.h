// SPDX-License-Identifier: Apache-2.0
// Scores a text: reads it, a stretch in each step, and asks for the probability of each token on the way.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/kinds/language_model.h"
#include "models/language/causal_network.h"
#include "models/language/causal_task.h"
#include "models/language/score_record.h"
#include "models/text/text_tokenizer.h"

namespace heed {

class ScoringTask : public ScoreTask, public CausalTask {
 public:
  // The network and the tokenizer outlive it. Without tokens it is finished.
  ScoringTask(const CausalNetwork& network, const TextTokenizer& tokenizer, ScoreRequest request, ScoredTokens tokens);

  int64_t next_rows() const override;
  int64_t peak_bytes() const override;
  int64_t answer_bytes() const override;
  std::shared_ptr<const State> state() const override { return state_; }

  void AppendReadings(std::vector<Reading>& readings) override;
  void Take() override;

 private:
  int64_t stretch() const;
  // The weights over what was held when token `index` was asked about, as a row over the columns of the answer.
  std::vector<float> AttentionOf(const std::vector<float>& weights, int64_t index) const;
  void Conclude();

  const CausalNetwork& network_;
  const ScoreRequest request_;
  ScoreRecord record_;
  int64_t read_before_ = 0;  // tokens that the state had read
  int64_t next_ = 0;         // the first token that is not read yet

  // Of the step under way.
  std::unique_ptr<TextMemory> memory_;
  std::vector<int64_t> asked_;  // indices of the tokens that the queries are about
  std::vector<NextTokenQuery> queries_;
  std::vector<NextTokenAnswer> answers_;
  std::vector<std::vector<float>> attention_;  // of each query, if asked for

  std::shared_ptr<const State> state_;
};

}  // namespace heed
