// SPDX-License-Identifier: Apache-2.0
// A vector for a text, or for each of its tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "models/xlnet_tasks/xlnet_encoding.h"
#include "models/xlnet_tasks/xlnet_heads.h"

namespace heed {

class XlnetEmbedding : public EmbedTask, public XlnetEncoding {
 public:
  // `depth`: the layer that the request asks for, from 0 on.
  XlnetEmbedding(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer,
                 XlnetInputs inputs, const EmbedRequest& request, int64_t depth);

  int64_t next_rows() const override { return step_rows(); }
  int64_t peak_bytes() const override { return step_bytes() + answer_bytes(); }
  int64_t answer_bytes() const override;

 private:
  void TakeInput(size_t index, ConstMatrixView outputs, Context& context) override;
  void Conclude() override;
  void TakeTokens(size_t index, ConstMatrixView outputs);

  const XlnetHeads& heads_;
  const TextTokenizer& tokenizer_;
  const Pooling pooling_;
  const XlnetSummary summary_;
  const bool normalize_;
  const int64_t width_;
  int64_t weight_ = 0;  // of what `values` is the sum of
};

}  // namespace heed
