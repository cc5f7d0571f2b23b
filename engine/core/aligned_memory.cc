// SPDX-License-Identifier: Apache-2.0
#include "engine/core/aligned_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace heed {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kLargePage = size_t{2} << 20;
constexpr size_t kWorthLargePages = 2 * kLargePage;

size_t AlignmentOf(size_t bytes) { return bytes >= kWorthLargePages ? kLargePage : kCacheLine; }

}  // namespace

size_t AllocatedBytes(size_t bytes) {
  const size_t alignment = AlignmentOf(bytes);
  return std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* AllocateAligned(size_t bytes) {
  const size_t allocated = AllocatedBytes(bytes);
  if (allocated < bytes) throw std::bad_alloc();
  void* memory = std::aligned_alloc(AlignmentOf(bytes), allocated);
  if (memory == nullptr) throw std::bad_alloc();
  // Advice: where there are none, nothing changes.
  if (AlignmentOf(bytes) == kLargePage) madvise(memory, allocated, MADV_HUGEPAGE);
  return memory;
}

void FreeAligned(void* memory) { std::free(memory); }

}  // namespace heed
