// SPDX-License-Identifier: Apache-2.0
// How the heads of attention lie in a row of queries, keys, values or contexts, and in the cells that keep keys and
// values.
//
// In a row the heads lie side by side: value 0 of each head, then value 1 of each. So one vector holds values of all
// heads, and a query's products with a key are sums over vectors, for all heads at once, with one fold at the end. Rows
// are in this order because the linear layers around are loaded in it (LinearOrder of models/layers/weight_reader.h).
// Where the number of heads is no power of two up to 16, the largest that divides it makes a group, and the groups
// follow each other.
//
// Keys and values are kept in cells of 16 values, a group's last one filled up with zeros. The cells of 4 positions
// alternate, so that 4 keys are read as one stream:
//
//   [positions / 4][cells][4][16]
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heed {

inline constexpr int64_t kCellValues = 16;
inline constexpr int64_t kCellPositions = 4;  // whose cells alternate
// From a cell to the next one of the same key, in values.
inline constexpr int64_t kCellStride = kCellPositions * kCellValues;

// In what type cells keep their values. f16 rounds to nearest, to the largest finite number at most.
enum class CellStorage { kF32, kF16 };

class HeadLayout {
 public:
  HeadLayout() = default;
  HeadLayout(int64_t heads, int64_t head_dim) : heads_(heads), head_dim_(head_dim) {
    while (together_ < kCellValues && heads % (2 * together_) == 0) together_ *= 2;
    group_cells_ = (group_values() + kCellValues - 1) / kCellValues;
    cells_ = groups() * group_cells_;
  }

  int64_t heads() const { return heads_; }
  int64_t head_dim() const { return head_dim_; }
  int64_t width() const { return heads_ * head_dim_; }  // of a row
  // Heads of a group: lane l of a vector of 16 belongs to head l % together() of its group.
  int64_t together() const { return together_; }
  int64_t groups() const { return heads_ / together_; }
  int64_t group_values() const { return together_ * head_dim_; }
  int64_t group_cells() const { return group_cells_; }
  int64_t cells() const { return cells_; }  // of a key, or of a value

  // Where value i of head h is in a row.
  int64_t Place(int64_t h, int64_t i) const { return h / together_ * group_values() + i * together_ + h % together_; }
  // What is at each place of a row: h * head_dim + i, its number where the heads follow each other.
  std::vector<int32_t> Order() const {
    std::vector<int32_t> order(static_cast<size_t>(width()));
    for (int64_t h = 0; h < heads_; ++h) {
      for (int64_t i = 0; i < head_dim_; ++i) {
        order[static_cast<size_t>(Place(h, i))] = static_cast<int32_t>(h * head_dim_ + i);
      }
    }
    return order;
  }

  // Of the cells of keys, or of values, of `positions` positions.
  int64_t CellBytes(CellStorage storage, int64_t positions) const {
    return (positions + kCellPositions - 1) / kCellPositions * cells_ * kCellStride * ValueBytes(storage);
  }
  // From the first cell of position 0 to that of `position`, in bytes.
  int64_t CellOffset(CellStorage storage, int64_t position) const {
    const int64_t values = position / kCellPositions * cells_ * kCellStride + position % kCellPositions * kCellValues;
    return values * ValueBytes(storage);
  }

 private:
  static int64_t ValueBytes(CellStorage storage) { return storage == CellStorage::kF32 ? 4 : 2; }

  int64_t heads_ = 0, head_dim_ = 0;
  int64_t together_ = 1, group_cells_ = 0, cells_ = 0;
};

}  // namespace heed
