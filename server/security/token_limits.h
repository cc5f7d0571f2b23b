// SPDX-License-Identifier: Apache-2.0
// What the holder of a token may use, as the file of tokens says it behind the rights:
//
//   backend 5f2d... infer requests_per_minute=600 characters_per_minute=200000 models=translator-en-de,gat-*
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/name_patterns.h"

namespace heed {

struct TokenLimits {
  static constexpr int64_t kMaxPerMinute = 1'000'000'000'000;

  int64_t requests_per_minute = 0;    // 0: no limit, here and below
  int64_t characters_per_minute = 0;  // of the texts that the requests bring
  NamePatterns models;                // the models that may be used; no pattern: all

  bool operator==(const TokenLimits& other) const = default;
};

// The limits of one line, word by word, in any order.
class TokenLimitsReader {
 public:
  // INVALID_ARGUMENT: the word is no limit, says nothing that is one, or the line has the limit already. The message
  // repeats nothing of a word that is no limit: words in the wrong order put the token here.
  absl::Status Read(absl::string_view word);
  const TokenLimits& limits() const { return limits_; }

 private:
  TokenLimits limits_;
  std::set<std::string, std::less<>> seen_;
};

// Where two lines of one holder differ, with both values: "requests_per_minute=600, but line 2 says
// requests_per_minute=500". Empty: they do not. `line`: that of `first`.
std::string DifferenceOf(const TokenLimits& limits, int line, const TokenLimits& first);

}  // namespace heed
