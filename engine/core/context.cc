// SPDX-License-Identifier: Apache-2.0
#include "engine/core/context.h"

#include <algorithm>

namespace heed {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kBlockBytes = size_t{4} << 20;

}  // namespace

void* Arena::TakeBytes(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    Block block;
    block.size = std::max(bytes, kBlockBytes);
    block.bytes.reset(static_cast<std::byte*>(AllocateAligned(block.size)));
    allocated_bytes_ += block.size;
    blocks_.push_back(std::move(block));
  }
  std::byte* taken = blocks_[block_].bytes.get() + used_;
  used_ += bytes;
  return taken;
}

void Arena::Rewind(size_t block, size_t used) {
  block_ = block;
  used_ = used;
  while (block == 0 && used == 0 && allocated_bytes_ > keep_bytes_) {
    allocated_bytes_ -= blocks_.back().size;
    blocks_.pop_back();
  }
}

}  // namespace heed
