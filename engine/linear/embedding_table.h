// SPDX-License-Identifier: Apache-2.0
// Tables of vectors that are looked up by row: an embedding table has one for each token.
#pragma once

#include <cstdint>

#include "engine/core/aligned_memory.h"
#include "files/safetensors.h"

namespace heed {

// Immutable; thread-safe.
class EmbeddingTable {
 public:
  virtual ~EmbeddingTable() = default;
  // Writes row n to `to`, as many values as a row has.
  virtual void CopyRow(int64_t n, float* to) const = 0;
};

// One that holds its rows as they are: as f16 if that loses nothing, else as f32.
class RowTable : public EmbeddingTable {
 public:
  RowTable() = default;
  // [rows, cols]
  explicit RowTable(const StoredTensor& rows);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t bytes() const { return rows_ * stride_ * (halves_ ? 2 : 4); }

  void CopyRow(int64_t n, float* to) const override;
  // Row n . x, in f32. x [cols]. Always summed in 16 lanes, which are added in pairs: the same bits on every
  // instruction set that has fused multiply-add.
  float Dot(int64_t n, const float* x) const;

 private:
  const void* row(int64_t n) const { return static_cast<const char*>(data_.get()) + n * stride_ * (halves_ ? 2 : 4); }

  int64_t rows_ = 0, cols_ = 0;
  int64_t stride_ = 0;  // in values: whole lanes, filled up with zeros
  bool halves_ = false;
  AlignedPointer<void> data_;
};

}  // namespace heed
