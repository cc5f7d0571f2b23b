// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/memory_addressing.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "engine/kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/memory_addressing.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "engine/kernels/activation-inl.h"
#include "hwy/contrib/math/math-inl.h"

#ifndef HEED_ENGINE_MEMORY_ADDRESSING_ONCE_
#define HEED_ENGINE_MEMORY_ADDRESSING_ONCE_
namespace heed {

// How many heads' keys meet a slot, and how many heads read it, in one go: more would not stay in registers.
inline constexpr int kMaxKeys = 6;
inline constexpr int kMaxReaders = 4;

// A head's parameters once they are squashed.
struct HeadControls {
  float strength;    // beta
  float gate;        // g
  float sharpening;  // gamma
  const float* shifts;
};

// The intermediate values of one session's step.
struct MemoryScratch {
  MemoryScratch(float* memory, int64_t heads, int64_t key_stride, int64_t stride)
      : keys(memory),
        erase(keys + heads * key_stride),
        add(erase + heads * key_stride),
        norms(add + heads * key_stride),
        dots(norms + stride),
        window(dots + heads * stride) {}
  float* keys;  // [heads, key_stride], as are erase and add
  float* erase;
  float* add;
  float* norms;   // [stride], squared
  float* dots;    // [heads, stride]
  float* window;  // [halo + stride + halo], gated weights with the ring's ends joined
};

// The heads of one pass over the memory: at most kMaxReaders read it, at most one writes it.
struct ReadersAndWriter {
  int readers = 0;
  const float* reader_weights[kMaxReaders];
  float* reads[kMaxReaders];
  bool write_first = false;
  const float* writer_weights = nullptr;  // null: none
  const float* erase = nullptr;
  const float* add = nullptr;
};

}  // namespace heed
#endif

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
constexpr int64_t kTile = 2;  // vectors of slots that meet a key's number at a time

// dots[h][n] = k_h . M_n for kTile vectors of slots, or one; norms[n] = M_n . M_n if norms is not null.
template <int Keys, int Vectors>
HWY_INLINE void DotTile(const float* HWY_RESTRICT memory, int64_t width, int64_t stride, const float* HWY_RESTRICT keys,
                        int64_t key_stride, float* HWY_RESTRICT norms, float* HWY_RESTRICT dots) {
  const Floats d;
  Vector norm[Vectors], dot[Keys][Vectors];
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    norm[v] = hn::Zero(d);
#pragma GCC unroll 8
    for (int h = 0; h < Keys; ++h) dot[h][v] = hn::Zero(d);
  }
  for (int64_t m = 0; m < width; ++m) {
    const float* row = memory + m * stride;
    Vector slots[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      slots[v] = hn::LoadU(d, row + v * kLanes);
      norm[v] = hn::MulAdd(slots[v], slots[v], norm[v]);
    }
#pragma GCC unroll 8
    for (int h = 0; h < Keys; ++h) {
      const Vector key = hn::Set(d, keys[h * key_stride + m]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) dot[h][v] = hn::MulAdd(key, slots[v], dot[h][v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    if (norms != nullptr) hn::StoreU(norm[v], d, norms + v * kLanes);
#pragma GCC unroll 8
    for (int h = 0; h < Keys; ++h) hn::StoreU(dot[h][v], d, dots + h * stride + v * kLanes);
  }
}

template <int Keys>
void DotKeys(const float* memory, int64_t width, int64_t stride, const float* keys, int64_t key_stride, float* norms,
             float* dots) {
  int64_t n = 0;
  const auto norms_at = [&](int64_t slot) { return norms == nullptr ? nullptr : norms + slot; };
  for (; n + kTile * kLanes <= stride; n += kTile * kLanes) {
    DotTile<Keys, kTile>(memory + n, width, stride, keys, key_stride, norms_at(n), dots + n);
  }
  for (; n < stride; n += kLanes) {
    DotTile<Keys, 1>(memory + n, width, stride, keys, key_stride, norms_at(n), dots + n);
  }
}

void DotsOnTarget(int keys_count, const float* memory, int64_t width, int64_t stride, const float* keys,
                  int64_t key_stride, float* norms, float* dots) {
  constexpr decltype(&DotKeys<1>) kWays[kMaxKeys] = {DotKeys<1>, DotKeys<2>, DotKeys<3>,
                                                     DotKeys<4>, DotKeys<5>, DotKeys<6>};
  kWays[keys_count - 1](memory, width, stride, keys, key_stride, norms, dots);
}

HWY_INLINE float SumOf(Vector v) { return hn::GetLane(hn::SumOfLanes(Floats(), v)); }
HWY_INLINE float MaxOf(Vector v) { return hn::GetLane(hn::MaxOfLanes(Floats(), v)); }

// The lanes of the vector at slot n that are slots.
HWY_INLINE auto IsSlot(int64_t n, int64_t slots) {
  return hn::FirstN(Floats(), static_cast<size_t>(std::clamp<int64_t>(slots - n, 0, kLanes)));
}

// scores: in the dots of the key with the slots, out exp(beta cos - largest), 0 behind the slots. Returns their sum.
HWY_INLINE float ContentOnTarget(const AddressingConventions& conventions, int64_t slots, float key_square,
                                 float strength, const float* HWY_RESTRICT norms, float* HWY_RESTRICT scores) {
  const Floats d;
  const Vector epsilon = hn::Set(d, conventions.cosine_epsilon);
  const bool clamped = conventions.cosine == CosineForm::kClamped;
  float key_norm = std::sqrt(key_square);
  if (clamped) key_norm = std::max(key_norm, conventions.cosine_epsilon);
  const Vector key_norms = hn::Set(d, key_norm), strengths = hn::Set(d, strength);
  const Vector least = hn::Set(d, std::numeric_limits<float>::lowest());
  Vector largest = least;
  for (int64_t n = 0; n < slots; n += kLanes) {
    const Vector norm = hn::Sqrt(hn::LoadU(d, norms + n));
    const Vector divisor = clamped ? hn::Mul(key_norms, hn::Max(norm, epsilon)) : hn::MulAdd(key_norms, norm, epsilon);
    const Vector cosine = hn::Div(hn::LoadU(d, scores + n), divisor);
    const Vector score = hn::IfThenElse(IsSlot(n, slots), hn::Mul(strengths, cosine), least);
    largest = hn::Max(largest, score);
    hn::StoreU(score, d, scores + n);
  }
  const Vector max = hn::Set(d, MaxOf(largest));
  Vector sum = hn::Zero(d);
  for (int64_t n = 0; n < slots; n += kLanes) {
    const Vector e = ExpOfNegative(hn::Sub(hn::LoadU(d, scores + n), max));
    sum = hn::Add(sum, e);
    hn::StoreU(e, d, scores + n);
  }
  return SumOf(sum);
}

// From the dots of the head's key with the slots to its weights (eq. 5 to 9), in place of those of the step before.
void AddressOnTarget(const AddressingConventions& conventions, int64_t slots, int64_t halo, float key_square,
                     const HeadControls& controls, const float* HWY_RESTRICT norms, float* HWY_RESTRICT scores,
                     float* HWY_RESTRICT window, float* HWY_RESTRICT weights) {
  const Floats d;
  const float sum = ContentOnTarget(conventions, slots, key_square, controls.strength, norms, scores);
  const Vector content = hn::Set(d, controls.gate / sum), kept = hn::Set(d, 1.0f - controls.gate);
  for (int64_t n = 0; n < slots; n += kLanes) {
    const Vector gated = hn::MulAdd(content, hn::LoadU(d, scores + n), hn::Mul(kept, hn::LoadU(d, weights + n)));
    hn::StoreU(gated, d, window + halo + n);
  }
  // The slots are a ring.
  std::copy(window + slots, window + slots + halo, window);
  std::copy(window + halo, window + 2 * halo, window + halo + slots);

  const Vector base = hn::Set(d, conventions.base_epsilon), gamma = hn::Set(d, controls.sharpening);
  const Vector least = hn::Set(d, std::numeric_limits<float>::lowest());
  Vector largest = least;
  for (int64_t n = 0; n < slots; n += kLanes) {
    Vector shifted = base;
    for (size_t j = 0; j < conventions.shifts.size(); ++j) {
      const Vector moved = hn::LoadU(d, window + halo + n - conventions.shifts[j]);
      shifted = hn::MulAdd(hn::Set(d, controls.shifts[j]), moved, shifted);
    }
    // A weight of 0, whose logarithm is none, stays so.
    const auto none = hn::Or(hn::Eq(shifted, hn::Zero(d)), hn::Not(IsSlot(n, slots)));
    const Vector exponent = hn::IfThenElse(none, least, KeepNaN(shifted, hn::Mul(gamma, hn::Log(d, shifted))));
    largest = hn::Max(largest, exponent);
    hn::StoreU(exponent, d, weights + n);
  }
  // Powers relative to the largest one: of a large gamma they would all be 0.
  const float max = MaxOf(largest);
  const Vector maxima = hn::Set(d, max);
  Vector sums = hn::Zero(d);
  for (int64_t n = 0; n < slots; n += kLanes) {
    const Vector exponent = hn::LoadU(d, weights + n);
    const Vector power = hn::IfThenZeroElse(hn::Eq(exponent, least), ExpOfNegative(hn::Sub(exponent, maxima)));
    sums = hn::Add(sums, power);
    hn::StoreU(power, d, weights + n);
  }
  const float epsilon = conventions.sum_epsilon == 0 ? 0 : conventions.sum_epsilon * std::exp(-max);
  const Vector factor = hn::Set(d, 1.0f / (SumOf(sums) + epsilon));
  for (int64_t n = 0; n < slots; n += kLanes) hn::StoreU(hn::Mul(hn::LoadU(d, weights + n), factor), d, weights + n);
}

template <int Readers, bool kWrites>
void PassOver(float* HWY_RESTRICT memory, int64_t width, int64_t stride, const ReadersAndWriter& heads) {
  const Floats d;
  for (int64_t m = 0; m < width; ++m, memory += stride) {
    Vector read[Readers + 1];
#pragma GCC unroll 8
    for (int r = 0; r < Readers; ++r) read[r] = hn::Zero(d);
    const auto read_from = [&](Vector slots, int64_t n) HWY_ATTR {
#pragma GCC unroll 8
      for (int r = 0; r < Readers; ++r) {
        read[r] = hn::MulAdd(hn::LoadU(d, heads.reader_weights[r] + n), slots, read[r]);
      }
    };
    const Vector erase = hn::Set(d, kWrites ? heads.erase[m] : 0), add = hn::Set(d, kWrites ? heads.add[m] : 0);
    for (int64_t n = 0; n < stride; n += kLanes) {
      Vector slots = hn::LoadU(d, memory + n);
      if (!kWrites || !heads.write_first) read_from(slots, n);
      if (kWrites) {
        // M (1 - w e) + w a
        slots = hn::MulAdd(hn::LoadU(d, heads.writer_weights + n), hn::NegMulAdd(slots, erase, add), slots);
        hn::StoreU(slots, d, memory + n);
        if (heads.write_first) read_from(slots, n);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Readers; ++r) heads.reads[r][m] = SumOf(read[r]);
  }
}

void PassOnTarget(float* memory, int64_t width, int64_t stride, const ReadersAndWriter& heads) {
  using GemmBackend = decltype(&PassOver<0, true>);
  constexpr GemmBackend kReading[] = {nullptr, PassOver<1, false>, PassOver<2, false>, PassOver<3, false>,
                                      PassOver<4, false>};
  constexpr GemmBackend kWriting[] = {PassOver<0, true>, PassOver<1, true>, PassOver<2, true>, PassOver<3, true>,
                                      PassOver<4, true>};
  (heads.writer_weights == nullptr ? kReading : kWriting)[heads.readers](memory, width, stride, heads);
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(DotsOnTarget);
HWY_EXPORT(AddressOnTarget);
HWY_EXPORT(PassOnTarget);

namespace {

float Softplus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

void Softmax(const float* from, int64_t count, float* to) {
  const float largest = *std::max_element(from, from + count);
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += to[i] = std::exp(from[i] - largest);
  for (int64_t i = 0; i < count; ++i) to[i] /= sum;
}

}  // namespace

// One session's step.
struct MemoryKernel {
  const MemoryHeads& heads;
  const MemorySession& session;
  const MemoryScratch& scratch;
  const int64_t width = heads.shape_.width, stride = heads.shape_.stride(), key_stride = WholeCacheLines(width);

  void Run(float* controls) const {
    for (size_t i = 0; i < heads.heads_.size(); ++i) {
      if (!session.read_only || heads.heads_[i] == HeadKind::kRead) Squash(i, controls);
    }
    if (session.read_only) {
      Address(heads.readers_, controls);
      ReadAndWrite(heads.readers_);
      return;
    }
    for (const MemoryHeads::Group& group : heads.groups_) {
      Address(group, controls);
      ReadAndWrite(group);
    }
  }

 private:
  // Head i's parameters into its key, erase and add vectors, and its controls.
  void Squash(size_t i, float* controls) const {
    const AddressingConventions& conventions = heads.conventions_;
    const float* from = session.parameters + heads.places_[i].parameters;
    float* own = controls + static_cast<int64_t>(i) * heads.controls();
    const int64_t at = static_cast<int64_t>(i) * key_stride, shifts = heads.shift_count();

    Take(from, width, scratch.keys + at);
    if (conventions.tanh_keys) Activate(Activation::kTanh, scratch.keys + at, width);
    std::copy(from + width, from + width + shifts + 3, own);
    Clip(own, shifts + 3);
    own[0] = Softplus(own[0]);
    own[1] = Sigmoid(own[1]);
    Softmax(own + 2, shifts, own + 2);
    own[2 + shifts] = 1.0f + Softplus(own[2 + shifts]);
    own[3 + shifts] = 0;
    if (heads.heads_[i] == HeadKind::kRead) return;
    from += width + shifts + 3;
    Take(from, width, scratch.erase + at);
    Activate(Activation::kSigmoid, scratch.erase + at, width);
    Take(from + width, width, scratch.add + at);
    if (conventions.tanh_adds) Activate(Activation::kTanh, scratch.add + at, width);
    for (int64_t m = 0; m < width; ++m) own[3 + shifts] += scratch.erase[at + m] / static_cast<float>(width);
  }

  void Clip(float* values, int64_t count) const {
    const float clip = heads.conventions_.clip;
    if (clip == 0) return;
    for (int64_t i = 0; i < count; ++i) values[i] = std::clamp(values[i], -clip, clip);
  }

  // A vector of the parameters, clipped, with zeros behind it.
  void Take(const float* from, int64_t count, float* to) const {
    std::copy(from, from + count, to);
    std::fill(to + count, to + key_stride, 0.0f);
    Clip(to, count);
  }

  // The keys of a group's heads need not lie beside each other.
  void Address(const MemoryHeads::Group& group, const float* controls) const {
    bool has_norms = false;
    const std::vector<int>& list = group.heads;
    for (size_t first = 0; first < list.size();) {
      size_t last = first + 1;
      while (last < list.size() && last - first < kMaxKeys && list[last] == list[last - 1] + 1) ++last;
      HWY_DYNAMIC_DISPATCH(DotsOnTarget)
      (static_cast<int>(last - first), session.memory, width, stride, scratch.keys + list[first] * key_stride,
       key_stride, has_norms ? nullptr : scratch.norms, scratch.dots + list[first] * stride);
      has_norms = true;
      first = last;
    }
    for (const int i : list) {
      const float* own = controls + i * heads.controls();
      const float* key = scratch.keys + i * key_stride;
      float key_square = 0;
      for (int64_t m = 0; m < width; ++m) key_square += key[m] * key[m];
      const HeadControls head = {own[0], own[1], own[2 + heads.shift_count()], own + 2};
      HWY_DYNAMIC_DISPATCH(AddressOnTarget)
      (heads.conventions_, heads.shape_.slots, heads.halo_, key_square, head, scratch.norms, scratch.dots + i * stride,
       scratch.window, session.weights + i * stride);
    }
  }

  // In one pass where there are no more readers than kMaxReaders and one writer: what more there are come before it,
  // if reads are first, or else behind (readers) and before it (writers).
  void ReadAndWrite(const MemoryHeads::Group& group) const {
    const std::vector<int>&readers = group.readers, &writers = group.writers;
    const bool write_first = heads.conventions_.order == HeadOrder::kWritesFirst && !writers.empty();
    size_t reader = 0, writer = 0;
    while (reader < readers.size() || writer < writers.size()) {
      ReadersAndWriter pass;
      pass.write_first = write_first;
      const size_t readers_left = readers.size() - reader, writers_left = writers.size() - writer;
      const bool reads = !write_first || writers_left <= 1;
      const bool writes = writers_left > 0 && (write_first || readers_left <= kMaxReaders);
      for (; reads && reader < readers.size() && pass.readers < kMaxReaders; ++reader, ++pass.readers) {
        const int i = readers[reader];
        pass.reader_weights[pass.readers] = session.weights + i * stride;
        pass.reads[pass.readers] = session.reads + heads.places_[static_cast<size_t>(i)].read;
      }
      if (writes) {
        const int i = writers[writer++];
        pass.writer_weights = session.weights + i * stride;
        pass.erase = scratch.erase + i * key_stride;
        pass.add = scratch.add + i * key_stride;
      }
      HWY_DYNAMIC_DISPATCH(PassOnTarget)(session.memory, width, stride, pass);
    }
  }
};

void MemoryHeads::Group::Add(int head, HeadKind kind) {
  heads.push_back(head);
  (kind == HeadKind::kRead ? readers : writers).push_back(head);
}

MemoryHeads::MemoryHeads(const MemoryShape& shape, std::vector<HeadKind> heads, AddressingConventions conventions)
    : shape_(shape), heads_(std::move(heads)), conventions_(std::move(conventions)) {
  for (const int shift : conventions_.shifts) halo_ = std::max<int64_t>(halo_, std::abs(shift));
  Group group;
  for (size_t i = 0; i < heads_.size(); ++i) {
    places_.push_back({parameters_, read_heads_ * shape_.width});
    parameters_ += parameters(heads_[i]);
    group.Add(static_cast<int>(i), heads_[i]);
    if (heads_[i] == HeadKind::kRead) {
      ++read_heads_;
      readers_.Add(static_cast<int>(i), heads_[i]);
    } else if (conventions_.order == HeadOrder::kInterleaved) {
      groups_.push_back(std::exchange(group, {}));
    }
  }
  if (!group.heads.empty()) groups_.push_back(group);
}

void MemoryHeads::Step(absl::Span<const MemorySession> sessions, Context& context) const {
  // Less than some microseconds' work is not worth another thread's while.
  constexpr int64_t kSessionsPerPart = 4;
  const int64_t count = static_cast<int64_t>(sessions.size());
  const int64_t parts = std::clamp<int64_t>(count / kSessionsPerPart, 1, 4 * context.team.size());
  const int64_t key_stride = WholeCacheLines(shape_.width), stride = shape_.stride();
  const int64_t head_count = static_cast<int64_t>(heads_.size());
  const int64_t scratch_floats = 3 * head_count * key_stride + (head_count + 2) * stride + WholeCacheLines(2 * halo_);
  const int64_t control_floats = WholeCacheLines(head_count * controls());

  const Arena::Scope scope(context.arena);
  float* scratch = context.arena.Take<float>(static_cast<size_t>(parts * (scratch_floats + control_floats)));
  context.team.Run(parts, [&](int64_t part) {
    float* own = scratch + part * (scratch_floats + control_floats);
    const MemoryScratch session_scratch(own + control_floats, head_count, key_stride, stride);
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i) {
      const MemorySession& session = sessions[static_cast<size_t>(i)];
      MemoryKernel{*this, session, session_scratch}.Run(session.controls == nullptr ? own : session.controls);
    }
  });
}

}  // namespace heed
#endif
