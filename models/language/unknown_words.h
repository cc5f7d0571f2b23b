// SPDX-License-Identifier: Apache-2.0
// The words of a text that a vocabulary does not have, for an answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace heed {

class UnknownWords {
 public:
  // Appends what `text` has from byte `start` to `end`, widened to whole characters, to `words`, unless it is empty,
  // was there before, or `words` has kMaxUnknownWords.
  void Add(absl::string_view text, int64_t start, int64_t end, std::vector<std::string>& words);

 private:
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace heed
