// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_encoding.h"

#include <algorithm>
#include <utility>

namespace heed {

XlnetEncoding::XlnetEncoding(const XlnetNetwork& network, const TextTokenizer& tokenizer, XlnetInputs inputs,
                             XlnetOutputs outputs, int64_t depth, bool wants_attention)
    : network_(network),
      tokenizer_(tokenizer),
      inputs_(std::move(inputs)),
      outputs_(outputs),
      depth_(depth),
      wants_attention_(wants_attention) {}

int64_t XlnetEncoding::token_count() const {
  int64_t count = 0;
  for (const XlnetInput& input : inputs()) count += input.size();
  return count;
}

size_t XlnetEncoding::EndOfStep() const {
  size_t end = next_;
  int64_t rows = 0;
  while (end < inputs().size() && (end == next_ || rows + inputs()[end].size() <= kXlnetStepRows)) {
    rows += inputs()[end++].size();
  }
  return end;
}

int64_t XlnetEncoding::step_rows() const {
  int64_t rows = 0;
  for (size_t i = next_; i < EndOfStep(); ++i) rows += inputs()[i].size();
  return std::max<int64_t>(1, rows);
}

int64_t XlnetEncoding::step_bytes() const {
  int64_t longest = 0;
  for (const XlnetInput& input : inputs()) longest = std::max(longest, input.size());
  const int64_t rows = std::max(longest, std::min(kXlnetStepRows, token_count()));
  const int64_t weights = wants_attention_ ? rows * longest * static_cast<int64_t>(sizeof(float)) : 0;
  return network_.StepBytes(rows, 2 * longest) + weights +
         token_count() * static_cast<int64_t>(sizeof(TextToken) + sizeof(XlnetRow));
}

int64_t XlnetEncoding::attention_bytes(int64_t rows) const {
  if (!wants_attention_) return 0;
  int64_t longest = 0;
  for (const XlnetInput& input : inputs()) longest = std::max(longest, input.size());
  constexpr int64_t kTokenTextBytes = 48;
  return rows * (1 + longest) * static_cast<int64_t>(sizeof(float)) + longest * kTokenTextBytes;
}

int64_t XlnetEncoding::CountOutputs(size_t index) const {
  return outputs_ == XlnetOutputs::kAll ? inputs()[index].size() : 1;
}

void XlnetEncoding::AppendPasses(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>&) {
  const size_t end = EndOfStep();
  sights_.assign(end - next_, {});
  attention_.assign(end - next_, {});
  for (size_t i = next_; i < end; ++i) {
    XlnetPass pass = EncodingPass(network_.config(), inputs()[i], sights_[i - next_]);
    std::vector<std::vector<float>>& attention = attention_[i - next_];
    attention.resize(static_cast<size_t>(CountOutputs(i)));
    const size_t first = outputs_ == XlnetOutputs::kLast ? pass.rows.size() - 1 : 0;
    for (size_t k = 0; k < attention.size(); ++k) {
      pass.rows[first + k].is_output = true;
      if (wants_attention_) pass.rows[first + k].attention = &attention[k];
    }
    passes.push_back(std::move(pass));
  }
}

void XlnetEncoding::Take(ConstMatrixView outputs, absl::Span<NextTokenAnswer>, Context& context) {
  const size_t end = EndOfStep();
  int64_t row = 0;
  for (auto& input : attention_) {
    for (std::vector<float>& weights : input) {
      if (!weights.empty()) weights.insert(weights.begin(), 0.0f);  // nothing was read before
    }
  }
  for (size_t i = next_; i < end; ++i) {
    TakeInput(i, outputs.Rows(row, CountOutputs(i)), context);
    row += CountOutputs(i);
  }
  next_ = end;
  if (next_ == inputs().size()) Conclude();
}

std::vector<std::string> XlnetEncoding::TokenTexts(size_t index) const {
  std::vector<std::string> texts;
  for (const TextToken& token : inputs()[index].tokens) texts.push_back(tokenizer_.Piece(token.id));
  return texts;
}

}  // namespace heed
