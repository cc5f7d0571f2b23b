// SPDX-License-Identifier: Apache-2.0
// The pseudo-log-likelihood of a text (Salazar et al. 2020): each token given all others. A pass for each token, in
// which nobody sees it; passes are independent, and a step takes as many as its rows allow.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/language/score_record.h"
#include "models/xlnet/xlnet_network.h"
#include "models/xlnet_tasks/xlnet_task.h"

namespace heed {

class XlnetAllContext : public ScoreTask, public XlnetTask {
 public:
  // The network and the tokenizer outlive it. Without tokens it is finished.
  XlnetAllContext(const XlnetNetwork& network, const TextTokenizer& tokenizer, ScoreRequest request,
                  ScoredTokens tokens);

  int64_t next_rows() const override;
  int64_t peak_bytes() const override;
  int64_t answer_bytes() const override { return record_.answer_bytes(); }
  std::shared_ptr<const State> state() const override { return nullptr; }

  int64_t depth() const override { return network_.config().layers; }
  bool asks() const override { return true; }
  void AppendPasses(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) override;
  void Take(ConstMatrixView outputs, absl::Span<NextTokenAnswer> answers, Context& context) override;

 private:
  int64_t passes() const;  // of the next step

  const XlnetNetwork& network_;
  const ScoreRequest request_;
  ScoreRecord record_;
  int64_t next_ = 0;                           // the next token to be scored
  KeyRange others_;                            // what every row of a pass sees
  std::vector<std::vector<float>> attention_;  // of each pass of the step
};

}  // namespace heed
