// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_all_context.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace heed {

XlnetAllContext::XlnetAllContext(const XlnetNetwork& network, const TextTokenizer& tokenizer, ScoreRequest request,
                                 ScoredTokens tokens)
    : network_(network), request_(std::move(request)), record_(request_, tokenizer, std::move(tokens), result_) {
  next_ = record_.unscored();
  others_ = {0, record_.count() - 1};
  if (record_.count() == 1 && next_ == 0) {
    record_.Add(0, nullptr, {});  // there are no others
    ++next_;
  }
  if (next_ == record_.count()) Finish();
}

int64_t XlnetAllContext::passes() const {
  if (record_.count() == 0) return 0;  // a text of nothing
  return std::min(record_.count() - next_, std::max<int64_t>(1, kXlnetStepRows / record_.count()));
}

int64_t XlnetAllContext::next_rows() const { return std::max<int64_t>(1, passes() * record_.count()); }

int64_t XlnetAllContext::peak_bytes() const {
  const int64_t rows = std::max(kXlnetStepRows, record_.count());
  return network_.StepBytes(rows, 2 * record_.count()) + rows * static_cast<int64_t>(sizeof(XlnetRow)) +
         record_.count() * static_cast<int64_t>(sizeof(TextToken)) + answer_bytes();
}

void XlnetAllContext::AppendPasses(std::vector<XlnetPass>& passes_of_step, std::vector<NextTokenQuery>& queries) {
  const int64_t count = record_.count();
  attention_.assign(static_cast<size_t>(passes()), {});
  for (int64_t target = next_; target < next_ + passes(); ++target) {
    XlnetPass& pass = passes_of_step.emplace_back();
    for (int64_t i = 0; i < count; ++i) {
      if (i == target) continue;
      XlnetRow& row = pass.rows.emplace_back();
      row.token = record_.ids()[static_cast<size_t>(i)];
      row.position = i;
      row.sees = absl::MakeConstSpan(&others_, 1);
    }
    XlnetRow& row = pass.rows.emplace_back();
    row.position = target;
    row.sees = absl::MakeConstSpan(&others_, 1);
    if (request_.options.return_attention) row.attention = &attention_[static_cast<size_t>(target - next_)];
    queries.push_back(record_.QueryOf(target));
  }
}

void XlnetAllContext::Take(ConstMatrixView, absl::Span<NextTokenAnswer> answers, Context&) {
  const int64_t end = next_ + passes();
  for (const NextTokenAnswer& answer : answers) {
    if (!std::isfinite(answer.log_probability)) {
      return Finish(
          absl::InternalError("the model computed probabilities that are not numbers: its weights are damaged"));
    }
  }
  for (int64_t i = next_; i < end; ++i) {
    std::vector<float>& weights = attention_[static_cast<size_t>(i - next_)];
    if (!weights.empty()) {
      weights.insert(weights.begin() + i, 0.0f);  // the token itself
      weights.insert(weights.begin(), 0.0f);      // nothing was read before
    }
    record_.Add(i, &answers[static_cast<size_t>(i - next_)], weights);
  }
  next_ = end;
  if (next_ == record_.count()) Finish();
}

}  // namespace heed
