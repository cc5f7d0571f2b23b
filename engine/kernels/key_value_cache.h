// SPDX-License-Identifier: Apache-2.0
// Keys and values that a decoder's hypotheses left behind, by layer, position and slot.
//
// A beam search that reorders its hypotheses copies nothing: a hypothesis keeps the list of slots that wrote its past.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace heed {

// Grows by blocks of positions. One thread writes an entry; others may write other entries meanwhile.
class KeyValueCache {
 public:
  // Entries of `width` floats, for `layers` layers and `slots` hypotheses beside each other.
  KeyValueCache(int64_t layers, int64_t slots, int64_t width) : layers_(layers), slots_(slots), width_(width) {}

  // Makes room for entries at `position`; entries already there stay where they are. Not while others write.
  void Reserve(int64_t position) {
    while (static_cast<int64_t>(blocks_.size()) * kBlockPositions <= position) {
      blocks_.push_back(
          std::make_unique_for_overwrite<float[]>(static_cast<size_t>(BlockFloats(layers_, slots_, width_))));
    }
  }
  // [width] floats: keys, then values.
  float* Entry(int64_t layer, int64_t position, int64_t slot) const {
    const int64_t within = (layer * kBlockPositions + position % kBlockPositions) * slots_ + slot;
    return blocks_[static_cast<size_t>(position / kBlockPositions)].get() + within * width_;
  }
  static int64_t Bytes(int64_t layers, int64_t slots, int64_t width, int64_t positions) {
    const int64_t blocks = (positions + kBlockPositions - 1) / kBlockPositions;
    return blocks * BlockFloats(layers, slots, width) * static_cast<int64_t>(sizeof(float));
  }

 private:
  static constexpr int64_t kBlockPositions = 16;
  static int64_t BlockFloats(int64_t layers, int64_t slots, int64_t width) {
    return layers * kBlockPositions * slots * width;
  }

  int64_t layers_, slots_, width_;
  std::vector<std::unique_ptr<float[]>> blocks_;
};

}  // namespace heed
