// SPDX-License-Identifier: Apache-2.0
#include "engine/core/aligned_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace heed {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kLargePage = size_t{2} << 20;
constexpr size_t kWorthLargePages = 2 * kLargePage;

}  // namespace

void* AllocateAligned(size_t bytes) {
  const bool large = bytes >= kWorthLargePages;
  const size_t alignment = large ? kLargePage : kCacheLine;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (rounded < bytes) throw std::bad_alloc();
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  if (large) madvise(memory, rounded, MADV_HUGEPAGE);  // advice: where there are none, nothing changes
  return memory;
}

void FreeAligned(void* memory) { std::free(memory); }

}  // namespace heed
