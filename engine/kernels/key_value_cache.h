// SPDX-License-Identifier: Apache-2.0
// Keys and values that a decoder attends to, in cells (engine/kernels/head_layout.h), by layer, position and slot.
//
// A beam search that reorders its hypotheses copies nothing: a hypothesis keeps the list of slots that wrote its past.
// The cells of the positions of one slot alternate, so that a past of one slot is read as one stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "engine/kernels/head_layout.h"

namespace heed {

// Grows by blocks of positions. One thread writes an entry; others may write other entries meanwhile.
class KeyValueCache {
 public:
  // For `layers` layers and `slots` hypotheses beside each other. `block_positions`, a multiple of kCellPositions: how
  // many positions it grows by.
  KeyValueCache(const HeadLayout& layout, CellStorage storage, int64_t layers, int64_t slots,
                int64_t block_positions = kBlockPositions)
      : layout_(layout), storage_(storage), layers_(layers), slots_(slots), block_positions_(block_positions) {}

  CellStorage storage() const { return storage_; }
  // Makes room for entries at `position`; entries already there stay where they are. Not while others write.
  void Reserve(int64_t position) {
    while (static_cast<int64_t>(blocks_.size()) * block_positions_ <= position) {
      const int64_t bytes = BlockBytes(layout_, storage_, layers_, slots_, block_positions_);
      blocks_.emplace_back(static_cast<std::byte*>(AllocateAligned(static_cast<size_t>(bytes))));
    }
  }
  // The first cell of an entry's key.
  void* Key(int64_t layer, int64_t position, int64_t slot) const { return Cell(2 * layer, position, slot); }
  // The first cell of its value.
  void* Value(int64_t layer, int64_t position, int64_t slot) const { return Cell(2 * layer + 1, position, slot); }
  // The same of positions [0, count), in the slots given; null: slot 0.
  void PointAt(int64_t layer, int64_t count, const int32_t* slots, const void** keys, const void** values) const {
    const int64_t stretch = layout_.CellBytes(storage_, kCellPositions);
    const int64_t part = block_positions_ / kCellPositions * slots_ * stretch;  // from a layer's keys to its values
    const int64_t step = layout_.CellOffset(storage_, 1);
    for (int64_t block = 0, t = 0; t < count; ++block) {
      const std::byte* from = blocks_[static_cast<size_t>(block)].get() + 2 * layer * part;
      for (const int64_t last = std::min(t + block_positions_, count); t < last; from += slots_ * stretch) {
        for (int64_t p = 0; p < kCellPositions && t < last; ++p, ++t) {
          const std::byte* key = from + p * step + (slots == nullptr ? 0 : slots[t] * stretch);
          keys[t] = key;
          values[t] = key + part;
        }
      }
    }
  }

  // What such a cache takes for `positions` positions.
  static int64_t Bytes(const HeadLayout& layout, CellStorage storage, int64_t layers, int64_t slots, int64_t positions,
                       int64_t block_positions = kBlockPositions) {
    const int64_t blocks = (positions + block_positions - 1) / block_positions;
    const int64_t block = BlockBytes(layout, storage, layers, slots, block_positions);
    return blocks * static_cast<int64_t>(AllocatedBytes(static_cast<size_t>(block)));
  }

 private:
  static constexpr int64_t kBlockPositions = 16;

  static int64_t BlockBytes(const HeadLayout& layout, CellStorage storage, int64_t layers, int64_t slots,
                            int64_t block_positions) {
    return 2 * layers * slots * layout.CellBytes(storage, block_positions);
  }
  // A block is [layers, key or value, block_positions / kCellPositions, slots] times the cells of kCellPositions.
  void* Cell(int64_t part, int64_t position, int64_t slot) const {
    const int64_t within = position % block_positions_;
    const int64_t stretch = (part * (block_positions_ / kCellPositions) + within / kCellPositions) * slots_ + slot;
    return blocks_[static_cast<size_t>(position / block_positions_)].get() +
           stretch * layout_.CellBytes(storage_, kCellPositions) +
           layout_.CellOffset(storage_, within % kCellPositions);
  }

  HeadLayout layout_;
  CellStorage storage_;
  int64_t layers_, slots_, block_positions_;
  std::vector<AlignedPointer<std::byte>> blocks_;
};

}  // namespace heed
