// SPDX-License-Identifier: Apache-2.0
// Memory for numbers: aligned to cache lines, and in large pages where there is much of it.
#pragma once

#include <cstddef>
#include <memory>

namespace heed {

// Not zeroed; freed by FreeAligned alone. Throws std::bad_alloc. From some megabytes on the system is asked for large
// pages: random rows of a table of 50 MB otherwise cost a walk of the page table each (measured on the synthetic graph
// of tests/bench/graph_bench).
void* AllocateAligned(size_t bytes);
// What that takes: whole cache lines, or whole large pages.
size_t AllocatedBytes(size_t bytes);
void FreeAligned(void* memory);

struct AlignedFree {
  void operator()(void* memory) const { FreeAligned(memory); }
};
template <typename T>
using AlignedPointer = std::unique_ptr<T, AlignedFree>;

}  // namespace heed
