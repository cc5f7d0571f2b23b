// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_keys.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace heed {
namespace {

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

}  // namespace

XlnetKeys::XlnetKeys(const XlnetKeys& other)
    : layers_(other.layers_),
      width_(other.width_),
      first_(other.first_),
      size_(other.size_),
      blocks_(other.blocks_),
      first_owned_(kNone) {
  other.first_owned_.store(kNone, std::memory_order_relaxed);
}

void XlnetKeys::Replace(int64_t from, int64_t count) {
  HEED_CHECK(first_ <= from && from <= size_);
  const int64_t floats = BlockBytes(layers_, width_) / static_cast<int64_t>(sizeof(float));
  const auto new_block = [&] { return std::make_shared_for_overwrite<float[]>(static_cast<size_t>(floats)); };
  const int64_t begin = from / kBlockTokens;  // the first block that is written to
  const int64_t end = (from + count + kBlockTokens - 1) / kBlockTokens;
  const bool begins_within = from % kBlockTokens != 0 && from > first_;
  blocks_.resize(static_cast<size_t>(
      std::min<int64_t>(static_cast<int64_t>(blocks_.size()), begin + (begins_within ? 1 : 0) - FirstBlock())));
  if (begins_within && begin < first_owned_.load(std::memory_order_relaxed)) {
    Block copy = new_block();
    std::copy_n(blocks_.back().get(), floats, copy.get());
    blocks_.back() = std::move(copy);
  }
  while (FirstBlock() + static_cast<int64_t>(blocks_.size()) < end) blocks_.push_back(new_block());
  first_owned_.store(std::min(first_owned_.load(std::memory_order_relaxed), begin), std::memory_order_relaxed);
  size_ = from + count;
}

void XlnetKeys::Put(int64_t layer, int64_t token, const float* key, const float* value) {
  float* to = At(layer, token);
  std::copy_n(key, width_, to);
  std::copy_n(value, width_, to + BlockWidth());
}

void XlnetKeys::DropBefore(int64_t token) {
  HEED_CHECK(token <= size_);
  if (token <= first_) return;
  const int64_t blocks = token / kBlockTokens - FirstBlock();
  blocks_.erase(blocks_.begin(), blocks_.begin() + std::min<int64_t>(blocks, static_cast<int64_t>(blocks_.size())));
  first_ = token;
}

void XlnetKeys::SkipTo(int64_t token) {
  HEED_CHECK(first_ == size_ && token >= size_);
  blocks_.clear();
  first_ = size_ = token;
}

std::vector<SharedPart> XlnetKeys::shared_parts() const {
  std::vector<SharedPart> parts;
  for (const Block& block : blocks_) parts.push_back({block.get(), BlockBytes(layers_, width_)});
  return parts;
}

}  // namespace heed
