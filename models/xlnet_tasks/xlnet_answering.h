// SPDX-License-Identifier: Apache-2.0
// Where in a context the answer to a question is: the spans of transformers' two heads, with offsets of the context.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/xlnet_tasks/xlnet_encoding.h"
#include "models/xlnet_tasks/xlnet_heads.h"

namespace heed {

class XlnetAnswering : public AnswerFromTextTask, public XlnetEncoding {
 public:
  // Each input is a window of the context, and the question.
  XlnetAnswering(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer,
                 XlnetInputs inputs, AnswerFromTextRequest request);

  int64_t next_rows() const override { return step_rows(); }
  int64_t peak_bytes() const override { return step_bytes() + answer_bytes(); }
  int64_t answer_bytes() const override;

 private:
  void TakeInput(size_t index, ConstMatrixView outputs, Context& context) override;
  void Conclude() override;
  // Of one window, likeliest first: p(start) p(end) of the simple head, or of the beam head.
  std::vector<XlnetSpan> SpansOf(const XlnetInput& input, ConstMatrixView outputs, float& no_answer, Context& context);
  void Add(const XlnetInput& input, const XlnetSpan& span);
  void TakeAttention(size_t index, const XlnetSpan& span);

  const XlnetHeads& heads_;
  const AnswerFromTextRequest request_;
  float best_ = 0;  // log-probability of the likeliest span so far, with attention
};

}  // namespace heed
