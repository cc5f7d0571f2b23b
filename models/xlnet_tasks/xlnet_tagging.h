// SPDX-License-Identifier: Apache-2.0
// A label for each word of a text: that of the word's first token.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/xlnet_tasks/xlnet_encoding.h"
#include "models/xlnet_tasks/xlnet_heads.h"

namespace heed {

class XlnetTagging : public TagTask, public XlnetEncoding {
 public:
  XlnetTagging(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer, XlnetInputs inputs,
               const TagRequest& request);

  int64_t next_rows() const override { return step_rows(); }
  int64_t peak_bytes() const override { return step_bytes() + answer_bytes(); }
  int64_t answer_bytes() const override;

 private:
  void TakeInput(size_t index, ConstMatrixView outputs, Context& context) override;
  void Conclude() override;

  const XlnetConfig& config_;
  const XlnetHeads& heads_;
  std::vector<size_t> window_of_;  // of each word: the window that sees most around it, to whose middle it is nearest
  std::vector<int64_t> row_of_;    // its first token there; -1: it has none
};

}  // namespace heed
