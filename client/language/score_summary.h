// SPDX-License-Identifier: Apache-2.0
// The sums over many scores.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "heed/v1/language_modeling.pb.h"

namespace heed::client {

class ScoreSummary {
 public:
  void Add(const v1::TextScore& score);
  // "3 lines, 40 tokens, 31 words: log-probability -123.4567, perplexity 21.85, 1.234 bits per byte; 2 unknown words:
  // foo, bar". `lines` 0: they are not worth a number.
  std::string Text(int64_t lines) const;

 private:
  double log_probability_ = 0;
  int64_t tokens_ = 0;
  int64_t words_ = 0;
  int64_t bytes_ = 0;
  int64_t unknown_tokens_ = 0;
  // The first of them, each once.
  std::set<std::string> known_unknown_;
  std::vector<std::string> unknown_words_;
};

}  // namespace heed::client
