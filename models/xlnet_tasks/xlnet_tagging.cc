// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_tagging.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"

namespace heed {
namespace {

// What white space separates.
std::vector<TaggedWord> WordsOf(const std::string& text) {
  std::vector<TaggedWord> words;
  const auto is_space = [&](size_t i) { return absl::ascii_isspace(static_cast<unsigned char>(text[i])); };
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && !is_space(end)) ++end;
    if (end > i) {
      words.push_back({text.substr(i, end - i), static_cast<int64_t>(i), static_cast<int64_t>(end), "", 0});
    }
    i = std::max(end, i + 1);
  }
  return words;
}

}  // namespace

XlnetTagging::XlnetTagging(const XlnetNetwork& network, const XlnetHeads& heads, const TextTokenizer& tokenizer,
                           XlnetInputs inputs, const TagRequest& request)
    : XlnetEncoding(network, tokenizer, std::move(inputs), XlnetOutputs::kAll, network.config().layers,
                    request.return_attention),
      config_(network.config()),
      heads_(heads) {
  result_.tokens = token_count();
  result_.words = WordsOf(request.text);
  window_of_.assign(result_.words.size(), 0);
  row_of_.assign(result_.words.size(), -1);
  std::vector<int64_t> distance(result_.words.size());  // from the window's middle, twice
  for (size_t w = 0; w < XlnetEncoding::inputs().size(); ++w) {
    const XlnetInput& input = XlnetEncoding::inputs()[w];
    size_t word = 0;
    int64_t former = -1;
    for (int64_t i = 0; i < input.first_end; ++i) {
      const TextToken& token = input.tokens[static_cast<size_t>(i)];
      while (word < result_.words.size() && result_.words[word].end <= token.start) ++word;
      if (word == result_.words.size()) break;
      // A word whose first token is in an earlier window is that window's.
      const bool is_begun = i == 0 && input.first_skipped > 0 && token.start > result_.words[word].start;
      // A blank by itself is the first token of the word behind it.
      const absl::string_view own =
          absl::string_view(request.text)
              .substr(static_cast<size_t>(token.start), static_cast<size_t>(token.end - token.start));
      const bool is_blank = absl::StripAsciiWhitespace(own).empty();
      const bool is_before = !is_blank && token.end <= result_.words[word].start;
      if (static_cast<int64_t>(word) == former || is_begun || is_before) {
        if (is_begun) former = static_cast<int64_t>(word);
        continue;
      }
      former = static_cast<int64_t>(word);
      const int64_t here = std::abs(2 * i - input.first_end);
      if (row_of_[word] >= 0 && distance[word] <= here) continue;
      window_of_[word] = w;
      row_of_[word] = i;
      distance[word] = here;
    }
  }
}

int64_t XlnetTagging::answer_bytes() const {
  constexpr int64_t kWordBytes = 128;
  return static_cast<int64_t>(result_.words.size()) * kWordBytes + attention_bytes(inputs()[0].size());
}

void XlnetTagging::TakeInput(size_t index, ConstMatrixView outputs, Context& context) {
  Arena::Scope scope(context.arena);
  const MatrixView logits = heads_.Tags(outputs, context);
  for (size_t word = 0; word < result_.words.size(); ++word) {
    if (window_of_[word] != index || row_of_[word] < 0) continue;
    const float* row = logits.row(row_of_[word]);
    const std::vector<float> values(row, row + logits.cols);
    const std::vector<float> logs = LogSoftmax(values, std::vector<bool>(values.size(), true));
    const auto best = std::max_element(logs.begin(), logs.end());
    result_.words[word].label = config_.labels[static_cast<size_t>(best - logs.begin())];
    result_.words[word].score = std::exp(*best);
  }
  if (!wants_attention() || index > 0) return;
  result_.token_texts = TokenTexts(0);
  result_.attention.rows = outputs.rows;
  result_.attention.columns = 1 + outputs.rows;
  for (int64_t row = 0; row < outputs.rows; ++row) {
    const std::vector<float>& weights = attention(0, static_cast<size_t>(row));
    result_.attention.weights.insert(result_.attention.weights.end(), weights.begin(), weights.end());
  }
}

void XlnetTagging::Conclude() {
  std::vector<TaggedWord> words;
  for (size_t i = 0; i < result_.words.size(); ++i) {
    if (row_of_[i] < 0) continue;  // no token: nothing but accents; or it was left out at the end
    if (!std::isfinite(result_.words[i].score)) {
      return Finish(absl::InternalError("the model computed scores that are not numbers: its weights are damaged"));
    }
    words.push_back(std::move(result_.words[i]));
  }
  result_.words = std::move(words);
  Finish();
}

}  // namespace heed
