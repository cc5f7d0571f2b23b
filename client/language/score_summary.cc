// SPDX-License-Identifier: Apache-2.0
#include "client/language/score_summary.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/visible_text.h"

namespace heed::client {
namespace {

constexpr size_t kMaxShownWords = 10;

std::string Counted(int64_t count, const std::string& thing) {
  return absl::StrCat(count, " ", thing, count == 1 ? "" : "s");
}

}  // namespace

void ScoreSummary::Add(const v1::TextScore& score) {
  log_probability_ += score.log_probability();
  tokens_ += score.tokens();
  words_ += score.words();
  bytes_ += score.bytes();
  unknown_tokens_ += score.unknown_tokens();
  for (const std::string& word : score.unknown_words()) {
    if (unknown_words_.size() > kMaxShownWords) return;
    if (known_unknown_.insert(word).second) unknown_words_.push_back(word);
  }
}

std::string ScoreSummary::Text(int64_t lines) const {
  std::string text = lines > 0 ? Counted(lines, "line") + ", " : "";
  absl::StrAppend(&text, Counted(tokens_, "token"), ", ", Counted(words_, "word"));
  absl::StrAppendFormat(&text, ": log-probability %.4f", log_probability_);
  if (tokens_ > 0) {
    absl::StrAppendFormat(&text, ", perplexity %.2f", std::exp(-log_probability_ / static_cast<double>(tokens_)));
  }
  if (bytes_ > 0) {
    absl::StrAppendFormat(&text, ", %.3f bits per byte",
                          -log_probability_ / std::log(2.0) / static_cast<double>(bytes_));
  }
  if (unknown_words_.empty()) return text;
  const bool more = unknown_words_.size() > kMaxShownWords;
  std::vector<std::string> shown(
      unknown_words_.begin(),
      unknown_words_.begin() + static_cast<std::ptrdiff_t>(std::min(unknown_words_.size(), kMaxShownWords)));
  for (std::string& word : shown) word = VisibleLine(word);
  absl::StrAppend(&text, "\nthe model does not know ", Counted(unknown_tokens_, "token"), ": ",
                  absl::StrJoin(shown, ", "), more ? ", ..." : "");
  return text;
}

}  // namespace heed::client
