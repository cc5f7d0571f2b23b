// SPDX-License-Identifier: Apache-2.0
// Keys and values of every layer for the tokens of one stream, in blocks that streams share.
//
// They are exact to keep in place of the hidden states that the paper keeps (Yang et al. 2019, section 2.5): no
// absolute position enters them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "models/kinds/stateful_model.h"

namespace heed {

// Tokens are counted from 0, those that were dropped included. One thread at a time; several may copy a constant one.
class XlnetKeys {
 public:
  static constexpr int64_t kBlockTokens = 16;

  XlnetKeys(int64_t layers, int64_t width) : layers_(layers), width_(width) {}
  // Shares the blocks: whoever writes next to a block that both have copies it first.
  XlnetKeys(const XlnetKeys& other);
  XlnetKeys& operator=(const XlnetKeys&) = delete;

  int64_t first() const { return first_; }  // those before were dropped
  int64_t size() const { return size_; }
  const float* Key(int64_t layer, int64_t token) const { return At(layer, token); }                   // [width]
  const float* Value(int64_t layer, int64_t token) const { return At(layer, token) + BlockWidth(); }  // [width]

  // Makes the tokens from `from` on, which is at most size(), be `count` new ones, to be written with Put.
  void Replace(int64_t from, int64_t count);
  void Put(int64_t layer, int64_t token, const float* key, const float* value);
  // Forgets the tokens before this one.
  void DropBefore(int64_t token);
  // With nothing held: as if `token` of them had been read and dropped.
  void SkipTo(int64_t token);

  int64_t bytes() const { return static_cast<int64_t>(blocks_.size()) * BlockBytes(layers_, width_); }
  std::vector<SharedPart> shared_parts() const;
  // Of blocks for `tokens` more, at any place.
  static int64_t Bytes(int64_t layers, int64_t width, int64_t tokens) {
    return (tokens / kBlockTokens + 2) * BlockBytes(layers, width);
  }

 private:
  using Block = std::shared_ptr<float[]>;
  static int64_t BlockBytes(int64_t layers, int64_t width) {
    return layers * 2 * kBlockTokens * width * static_cast<int64_t>(sizeof(float));
  }
  int64_t BlockWidth() const { return kBlockTokens * width_; }  // from a token's key to its value
  int64_t FirstBlock() const { return first_ / kBlockTokens; }
  float* At(int64_t layer, int64_t token) const {
    const size_t block = static_cast<size_t>(token / kBlockTokens - FirstBlock());
    return blocks_[block].get() + layer * 2 * BlockWidth() + token % kBlockTokens * width_;
  }

  int64_t layers_, width_;
  int64_t first_ = 0, size_ = 0;
  std::deque<Block> blocks_;  // from FirstBlock() on
  // Blocks from this one on are nobody else's. Changed by a copy of a constant object, too.
  mutable std::atomic<int64_t> first_owned_{0};
};

}  // namespace heed
