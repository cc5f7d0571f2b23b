// SPDX-License-Identifier: Apache-2.0
// The heads of a Neural Turing Machine at its memory: addressing, reading, writing (Graves et al. 2014, eq. 2 to 9).
//
// A step makes two passes over a session's memory for each group of heads that see the same memory: one for the dot
// products of their keys and the slots' norms, one in which they read and write (more of them where there are more than
// six keys, keys that are not neighbors, more than four readers or several writers). The memory lies slot beside slot,
// [width, stride]: what is computed for each slot is computed for 16 of them at a time, and nothing but a read vector
// is ever summed across lanes. A session's bits depend on that session and the instruction set alone.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"

namespace heed {

// N slots of M numbers.
struct MemoryShape {
  int64_t slots = 0;
  int64_t width = 0;

  // The distance between a slot's numbers: a row of weights has this size too. What lies behind `slots` is zero.
  int64_t stride() const { return WholeCacheLines(slots); }
};

enum class HeadKind { kRead, kWrite };

enum class HeadOrder {
  kReadsFirst,   // all are addressed on the old memory; reads see it, then the writes follow
  kWritesFirst,  // all are addressed on the old memory; the writes follow, reads see what is there then
  kInterleaved,  // head after head, each on the memory as it is then
};

enum class CosineForm {
  kAdded,    // k.m / (|k| |m| + epsilon)
  kClamped,  // k.m / (max(|k|, epsilon) max(|m|, epsilon))
};

// On what implementations differ (docs/ntm-config.md).
struct AddressingConventions {
  std::vector<int> shifts = {-1, 0, 1};  // s[j] moves the weights by shifts[j] slots; within (-slots, slots)
  HeadOrder order = HeadOrder::kReadsFirst;
  bool tanh_keys = true;
  bool tanh_adds = true;
  CosineForm cosine = CosineForm::kAdded;
  float cosine_epsilon = 1e-8f;
  float base_epsilon = 0;  // added to what is sharpened
  float sum_epsilon = 0;   // added to the sum that it is divided by
  float clip = 0;          // of the parameters, to [-clip, clip]; 0: none
};

// One session in one step. Pointers need no alignment; on cache lines memory and weights are read fastest.
struct MemorySession {
  // [MemoryHeads::parameters()]: for each head [k (M), beta, g, s (shifts), gamma], a write head's with
  // [e (M), a (M)] behind, as the linear layer gave them.
  const float* parameters = nullptr;
  float* memory = nullptr;   // [M, stride], changed unless read_only
  float* weights = nullptr;  // [heads, stride]: in those of the step before, out this step's
  float* reads = nullptr;    // out: [read heads, M]
  // Only the read heads are addressed; memory and the write heads' weights stay.
  bool read_only = false;
  // Out, if not null: [heads, MemoryHeads::controls()]: beta, g, s (shifts), gamma, and the mean of e (read heads: 0).
  // With read_only those of the write heads are not touched.
  float* controls = nullptr;
};

// Immutable, thread-safe.
class MemoryHeads {
 public:
  MemoryHeads() = default;
  MemoryHeads(const MemoryShape& shape, std::vector<HeadKind> heads, AddressingConventions conventions);

  const MemoryShape& shape() const { return shape_; }
  const std::vector<HeadKind>& heads() const { return heads_; }
  const AddressingConventions& conventions() const { return conventions_; }
  int64_t read_heads() const { return read_heads_; }
  int64_t controls() const { return shift_count() + 4; }
  // Of one head.
  int64_t parameters(HeadKind kind) const {
    return shift_count() + 3 + shape_.width * (kind == HeadKind::kRead ? 1 : 3);
  }
  int64_t parameters() const { return parameters_; }

  // One step of each session, shared out among the team.
  void Step(absl::Span<const MemorySession> sessions, Context& context) const;

 private:
  // Heads that are addressed on the same memory, as indices.
  struct Group {
    void Add(int head, HeadKind kind);

    std::vector<int> heads, readers, writers;
  };
  // Where a head's parameters and reads are.
  struct Place {
    int64_t parameters = 0;
    int64_t read = 0;
  };
  friend struct MemoryKernel;

  int64_t shift_count() const { return static_cast<int64_t>(conventions_.shifts.size()); }

  MemoryShape shape_;
  std::vector<HeadKind> heads_;
  AddressingConventions conventions_;
  int64_t read_heads_ = 0;
  int64_t parameters_ = 0;
  int64_t halo_ = 0;  // the largest shift
  std::vector<Place> places_;
  std::vector<Group> groups_;
  Group readers_;  // of read-only steps
};

}  // namespace heed
