// SPDX-License-Identifier: Apache-2.0
// Finds any number of sequences of symbols at once, as Aho and Corasick do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"

namespace heed {

// Immutable once prepared; thread-safe then.
class SequenceMatcher {
 public:
  struct Match {
    int32_t sequence = -1;  // as it was added, from 0; -1: none
    uint32_t size = 0;      // its symbols
  };

  // Of sequences that are the same the first counts. An empty one is never found.
  void Add(absl::Span<const uint32_t> sequence);
  // After the last Add, before the first LongestAt.
  void Prepare();

  // For each place of `symbols` the longest sequence that begins there. Takes time linear in `symbols`.
  std::vector<Match> LongestAt(absl::Span<const uint32_t> symbols) const;

 private:
  struct State {
    int32_t fails_to = 0;
    Match match;  // of what ends here: the longest
    uint32_t depth = 0;
  };

  int32_t Next(int32_t state, uint32_t symbol) const;

  // Sequences are read backward: the longest one that ends at a place, read so, is the longest that begins there.
  std::vector<State> states_ = std::vector<State>(1);
  absl::flat_hash_map<std::pair<int32_t, uint32_t>, int32_t> arrows_;
  int32_t added_ = 0;
};

}  // namespace heed
