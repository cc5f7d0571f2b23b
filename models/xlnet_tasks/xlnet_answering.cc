// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_answering.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"

namespace heed {
namespace {

bool IsLikelier(const XlnetSpan& a, const XlnetSpan& b) { return a.log_probability > b.log_probability; }

// The likeliest spans of the simple head among the first `count` rows, at most `most`.
std::vector<XlnetSpan> SimpleSpans(const std::vector<float>& starts, const std::vector<float>& ends, int64_t count,
                                   int64_t max_tokens, size_t most) {
  std::vector<XlnetSpan> spans;  // a heap, the least likely first
  for (int64_t start = 0; start < count; ++start) {
    for (int64_t end = start; end < std::min(count, start + max_tokens); ++end) {
      const XlnetSpan span = {start, end, starts[static_cast<size_t>(start)] + ends[static_cast<size_t>(end)]};
      if (spans.size() == most) {
        if (!IsLikelier(span, spans.front())) continue;
        std::pop_heap(spans.begin(), spans.end(), IsLikelier);
        spans.pop_back();
      }
      spans.push_back(span);
      std::push_heap(spans.begin(), spans.end(), IsLikelier);
    }
  }
  std::stable_sort(spans.begin(), spans.end(), IsLikelier);
  return spans;
}

}  // namespace

XlnetAnswering::XlnetAnswering(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer,
                               XlnetInputs inputs, AnswerFromTextRequest request)
    : XlnetEncoding(network, tokenizer, std::move(inputs), XlnetOutputs::kAll, network.config().layers,
                    request.return_attention),
      heads_(heads),
      request_(std::move(request)) {
  result_.tokens = token_count();
}

int64_t XlnetAnswering::answer_bytes() const {
  constexpr int64_t kAnswerBytes = 96, kUsualTokenBytes = 8;
  return request_.top * (kAnswerBytes + request_.max_answer_tokens * kUsualTokenBytes) +
         attention_bytes(request_.max_answer_tokens);
}

std::vector<XlnetSpan> XlnetAnswering::SpansOf(const XlnetInput& input, ConstMatrixView outputs, float& no_answer,
                                               Context& context) {
  // The context's tokens, and <cls>, which stands for no answer.
  std::vector<bool> allowed(static_cast<size_t>(outputs.rows), false);
  std::fill_n(allowed.begin(), input.first_end, true);
  allowed.back() = true;
  std::vector<XlnetSpan> spans;
  if (heads_.has_beams()) {
    for (const XlnetSpan& span : heads_.BeamSpans(outputs, allowed, no_answer, context)) {
      const bool is_span = span.start <= span.end && span.end < input.first_end;
      if (is_span && span.end - span.start < request_.max_answer_tokens) spans.push_back(span);
    }
    std::stable_sort(spans.begin(), spans.end(), IsLikelier);
    return spans;
  }
  Arena::Scope scope(context.arena);
  const MatrixView logits = heads_.Spans(outputs, context);
  std::vector<float> starts, ends;
  for (int64_t i = 0; i < outputs.rows; ++i) {
    starts.push_back(logits.row(i)[0]);
    ends.push_back(logits.row(i)[1]);
  }
  starts = LogSoftmax(starts, allowed);
  ends = LogSoftmax(ends, allowed);
  no_answer = std::exp(starts.back() + ends.back());
  return SimpleSpans(starts, ends, input.first_end, request_.max_answer_tokens, static_cast<size_t>(request_.top));
}

// An answer that windows have in common counts once, as likely as in the window where it is likeliest.
void XlnetAnswering::Add(const XlnetInput& input, const XlnetSpan& span) {
  int64_t start = input.tokens[static_cast<size_t>(span.start)].start;
  int64_t end = input.tokens[static_cast<size_t>(span.end)].end;
  // A piece that begins a word has the blank before it.
  const auto is_space = [&](int64_t at) {
    return absl::ascii_isspace(static_cast<unsigned char>(request_.context[static_cast<size_t>(at)]));
  };
  while (start < end && is_space(start)) ++start;
  while (start < end && is_space(end - 1)) --end;
  if (start == end) return;
  const float score = std::exp(span.log_probability);
  for (TextSpan& answer : result_.answers) {
    if (answer.start != start || answer.end != end) continue;
    answer.score = std::max(answer.score, score);
    return;
  }
  result_.answers.push_back(
      {request_.context.substr(static_cast<size_t>(start), static_cast<size_t>(end - start)), start, end, score});
}

void XlnetAnswering::TakeAttention(size_t index, const XlnetSpan& span) {
  if (result_.attention.rows > 0 && span.log_probability <= best_) return;
  best_ = span.log_probability;
  result_.token_texts = TokenTexts(index);
  result_.attention = {};
  result_.attention.columns = 1 + inputs()[index].size();
  for (int64_t i = span.start; i <= span.end; ++i, ++result_.attention.rows) {
    const std::vector<float>& weights = attention(index, static_cast<size_t>(i));
    result_.attention.weights.insert(result_.attention.weights.end(), weights.begin(), weights.end());
  }
}

void XlnetAnswering::TakeInput(size_t index, ConstMatrixView outputs, Context& context) {
  const XlnetInput& input = inputs()[index];
  float no_answer = 0;
  const std::vector<XlnetSpan> spans = SpansOf(input, outputs, no_answer, context);
  // The window that is surest to have an answer says whether there is none.
  result_.no_answer_score = std::min(result_.no_answer_score.value_or(no_answer), no_answer);
  for (const XlnetSpan& span : spans) Add(input, span);
  if (wants_attention() && !spans.empty()) TakeAttention(index, spans.front());
}

void XlnetAnswering::Conclude() {
  const float no_answer = *result_.no_answer_score;
  const auto is_number = [](const TextSpan& answer) { return std::isfinite(answer.score); };
  if (!std::isfinite(no_answer) || !std::all_of(result_.answers.begin(), result_.answers.end(), is_number)) {
    return Finish(absl::InternalError("the model computed scores that are not numbers: its weights are damaged"));
  }
  std::stable_sort(result_.answers.begin(), result_.answers.end(),
                   [](const TextSpan& a, const TextSpan& b) { return a.score > b.score; });
  if (result_.answers.size() > static_cast<size_t>(request_.top)) {
    result_.answers.resize(static_cast<size_t>(request_.top));
  }
  if (request_.allow_no_answer) {
    // The beam head's is a logit of its own, above 0 if there is rather none.
    const auto is_none = [&](const TextSpan& answer) {
      return heads_.has_beams() ? no_answer > 0 : answer.score <= no_answer;
    };
    result_.answers.erase(std::remove_if(result_.answers.begin(), result_.answers.end(), is_none),
                          result_.answers.end());
  }
  Finish();
}

}  // namespace heed
