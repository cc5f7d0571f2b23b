// SPDX-License-Identifier: Apache-2.0
// The part that the tasks of XLNet's heads have in common: their inputs go through the network, several at a step as
// far as their rows allow, and each gives its outputs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/kinds/language_model.h"
#include "models/xlnet/xlnet_network.h"
#include "models/xlnet_tasks/xlnet_input.h"
#include "models/xlnet_tasks/xlnet_task.h"

namespace heed {

// Which rows of an input are outputs.
enum class XlnetOutputs { kAll, kFirst, kLast };

class XlnetEncoding : public XlnetTask {
 public:
  XlnetEncoding(const XlnetNetwork& network, const TextTokenizer& tokenizer, XlnetInputs inputs, XlnetOutputs outputs,
                int64_t depth, bool wants_attention);

  int64_t depth() const final { return depth_; }
  void AppendPasses(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) final;
  void Take(ConstMatrixView outputs, absl::Span<NextTokenAnswer> answers, Context& context) final;

 protected:
  // Takes the outputs of inputs()[index], in order.
  virtual void TakeInput(size_t index, ConstMatrixView outputs, Context& context) = 0;
  // All inputs were taken.
  virtual void Conclude() = 0;

  const std::vector<XlnetInput>& inputs() const { return inputs_.windows; }
  bool truncated() const { return inputs_.truncated; }
  bool wants_attention() const { return wants_attention_; }
  int64_t token_count() const;  // of all inputs
  int64_t step_rows() const;    // of the next step; at least 1
  int64_t step_bytes() const;   // scratch of the largest step, and the inputs themselves
  // With wants_attention(), of the inputs taken last: the weights of output `row` of that input, behind a column for
  // what was read before.
  const std::vector<float>& attention(size_t index, size_t row) const { return attention_[index - next_][row]; }
  std::vector<std::string> TokenTexts(size_t index) const;
  int64_t attention_bytes(int64_t rows) const;  // of an answer that has them for `rows` rows of the longest input

 private:
  size_t EndOfStep() const;  // the inputs [next_, EndOfStep()) are of the next step
  int64_t CountOutputs(size_t index) const;

  const XlnetNetwork& network_;
  const TextTokenizer& tokenizer_;
  const XlnetInputs inputs_;
  const XlnetOutputs outputs_;
  const int64_t depth_;
  const bool wants_attention_;
  size_t next_ = 0;
  // Of the step.
  std::vector<std::vector<KeyRange>> sights_;
  std::vector<std::vector<std::vector<float>>> attention_;  // [inputs, outputs, keys]
};

}  // namespace heed
