// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/fact_attribution.h"

#include <algorithm>
#include <cmath>

#include "base/little_endian.h"

namespace heed {

void FactAttribution::Write(int64_t fact, const float* weights, float mean_erase) {
  for (size_t n = 0; n < slots_.size(); ++n) {
    if (!(weights[n] >= kLeastShare)) continue;
    Slot& slot = slots_[n];
    for (int i = 0; i < slot.count; ++i) slot.shares[static_cast<size_t>(i)].share *= 1 - weights[n] * mean_erase;
    while (slot.count > 0 && slot.shares[static_cast<size_t>(slot.count - 1)].share < kLeastShare) --slot.count;
    Add(slot, {static_cast<int32_t>(fact), weights[n]});
  }
}

void FactAttribution::Add(Slot& slot, Share share) {
  auto* const end = slot.shares.begin() + slot.count;
  auto* known = std::find_if(slot.shares.begin(), end, [&](const Share& other) { return other.fact == share.fact; });
  if (known == end) {
    if (slot.count == kFactsPerSlot) {
      known = end - 1;
      if (known->share >= share.share) return;
    } else {
      ++slot.count;
    }
    *known = share;
  } else {
    known->share += share.share;
  }
  for (; known > slot.shares.begin() && known[-1].share < known->share; --known) std::swap(known[-1], *known);
}

void FactAttribution::AddScores(const float* weights, float factor, absl::flat_hash_map<int64_t, float>& scores) const {
  for (size_t n = 0; n < slots_.size(); ++n) {
    if (!(weights[n] > 0)) continue;
    const Slot& slot = slots_[n];
    float all = 0;
    for (int i = 0; i < slot.count; ++i) all += slot.shares[static_cast<size_t>(i)].share;
    const float sum = std::max(1.0f, all);
    for (int i = 0; i < slot.count; ++i) {
      const Share& share = slot.shares[static_cast<size_t>(i)];
      scores[share.fact] += factor * weights[n] * share.share / sum;
    }
  }
}

void FactAttribution::Serialize(std::string& bytes) const {
  for (const Slot& slot : slots_) {
    PutNumber<uint8_t>(bytes, static_cast<uint8_t>(slot.count));
    for (int i = 0; i < slot.count; ++i) {
      PutNumber(bytes, slot.shares[static_cast<size_t>(i)].fact);
      PutNumber(bytes, slot.shares[static_cast<size_t>(i)].share);
    }
  }
}

bool FactAttribution::Parse(absl::string_view& bytes, int64_t facts) {
  for (Slot& slot : slots_) {
    uint8_t count = 0;
    if (!TakeNumber(bytes, count) || count > kFactsPerSlot) return false;
    slot.count = count;
    for (int i = 0; i < slot.count; ++i) {
      Share& share = slot.shares[static_cast<size_t>(i)];
      if (!TakeNumber(bytes, share.fact) || !TakeNumber(bytes, share.share)) return false;
      if (share.fact < 0 || share.fact >= facts || !std::isfinite(share.share) || share.share < 0) return false;
      if (i > 0 && slot.shares[static_cast<size_t>(i - 1)].share < share.share) return false;
      for (int j = 0; j < i; ++j) {
        if (slot.shares[static_cast<size_t>(j)].fact == share.fact) return false;
      }
    }
  }
  return true;
}

}  // namespace heed
