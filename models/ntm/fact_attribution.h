// SPDX-License-Identifier: Apache-2.0
// Which facts a memory's slots hold, and how much of each: kept beside the memory, written as it is written.
//
//   A[n, f] <- A[n, f] (1 - w[n] mean(e)) + w[n] [f is the fact now told]
//
// for each write head with weights w and erase vector e. Of each slot only the kFactsPerSlot strongest are kept, and
// writes of less than kLeastShare are left out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace heed {

inline constexpr int kFactsPerSlot = 8;
inline constexpr float kLeastShare = 1e-3f;

// Of one session. Copyable.
class FactAttribution {
 public:
  explicit FactAttribution(int64_t slots) : slots_(static_cast<size_t>(slots)) {}

  // A write head wrote fact `fact` with `weights` [slots].
  void Write(int64_t fact, const float* weights, float mean_erase);
  // Adds to each fact's score what a read head with `weights` [slots] took from it: the slot's weight, times `factor`,
  // shared out by the slot's facts. The scores of one read add up to `factor` at most.
  void AddScores(const float* weights, float factor, absl::flat_hash_map<int64_t, float>& scores) const;

  int64_t bytes() const { return static_cast<int64_t>(slots_.size() * sizeof(Slot)); }
  void Serialize(std::string& bytes) const;
  // Takes what Serialize wrote off the front. False: there is none, or it names a fact that is not among `facts`, or a
  // share that is none.
  bool Parse(absl::string_view& bytes, int64_t facts);

 private:
  struct Share {
    int32_t fact = 0;
    float share = 0;
  };
  struct Slot {
    int count = 0;
    std::array<Share, kFactsPerSlot> shares;  // strongest first
  };
  static void Add(Slot& slot, Share share);

  std::vector<Slot> slots_;
};

}  // namespace heed
