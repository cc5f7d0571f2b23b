// SPDX-License-Identifier: Apache-2.0
// Which labels a text has, or a pair of texts, or which of several second texts fits the first.
#pragma once

#include <cstdint>
#include <vector>

#include "models/xlnet_tasks/xlnet_encoding.h"
#include "models/xlnet_tasks/xlnet_heads.h"

namespace heed {

class XlnetClassification : public TextClassificationTask, public XlnetEncoding {
 public:
  // An input for each window, or for each choice.
  XlnetClassification(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer,
                      XlnetInputs inputs, const TextClassificationRequest& request);

  int64_t next_rows() const override { return step_rows(); }
  int64_t peak_bytes() const override { return step_bytes() + answer_bytes(); }
  int64_t answer_bytes() const override;

 private:
  void TakeInput(size_t index, ConstMatrixView outputs, Context& context) override;
  void Conclude() override;
  void Normalize(std::vector<float>& logits) const;
  LabelFunction FunctionOf(LabelFunction asked) const;

  const XlnetConfig& config_;
  const XlnetHeads& heads_;
  const bool chooses_;
  const LabelFunction function_;
  const int top_;
  std::vector<float> scores_;  // the sum over windows, or one for each choice
};

}  // namespace heed
