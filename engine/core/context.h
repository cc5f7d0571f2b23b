// SPDX-License-Identifier: Apache-2.0
// What one executor lends to the kernels it calls: its team of threads and its scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "engine/core/team.h"

namespace heed {

// Scratch memory for the intermediate values of one step, 64-byte aligned. Not zeroed. One thread at a time.
// Blocks stay allocated between steps, up to `keep_bytes`: a step of usual size allocates nothing.
class Arena {
 public:
  explicit Arena(size_t keep_bytes = size_t{64} << 20) : keep_bytes_(keep_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `count` values of T, valid until the scope in which they were taken ends.
  template <typename T>
  T* Take(size_t count) {
    return static_cast<T*>(TakeBytes(count * sizeof(T)));
  }
  size_t allocated_bytes() const { return allocated_bytes_; }

  // Gives back on destruction all that was taken since its construction.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {}
    ~Scope() { arena_.Rewind(block_, used_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    size_t block_, used_;
  };

 private:
  struct Block {
    AlignedPointer<std::byte> bytes;
    size_t size = 0;
  };
  void* TakeBytes(size_t bytes);
  void Rewind(size_t block, size_t used);

  size_t keep_bytes_;
  std::vector<Block> blocks_;
  size_t block_ = 0;  // the block being filled
  size_t used_ = 0;   // bytes taken from it
  size_t allocated_bytes_ = 0;
};

// Not copyable, one thread at a time; the executor's.
struct Context {
  // keep_bytes: what the arena keeps allocated between steps.
  explicit Context(int team_size, size_t keep_bytes = size_t{64} << 20) : team(team_size), arena(keep_bytes) {}

  Team team;
  Arena arena;
};

}  // namespace heed
