// SPDX-License-Identifier: Apache-2.0
// The vectors of AVX-512 BF16 for line_block-inl.h: one instruction adds two products to each sum. Included once in
// each file that needs them, inside HEED_BEGIN_TARGET.
#pragma once

#include <immintrin.h>

#include "engine/linear/bf16_kernels.h"
#include "engine/linear/line_block-inl.h"

namespace heed {
namespace {

struct Bf16Vectors {
  static constexpr int kPanelVectors = 1;
  static constexpr int kMaxSums = 24;
  static constexpr int kMaxRows = 8;
  using Sums = __m512;
  using Weights = __m512i;
  using Activations = __m512i;

  static HEED_ALWAYS_INLINE Sums Begin(const Bf16Operands&, int64_t, int) { return _mm512_setzero_ps(); }
  static HEED_ALWAYS_INLINE Weights LoadWeights(const char* p) { return _mm512_load_si512(p); }
  static HEED_ALWAYS_INLINE Activations Broadcast(const char* four) {
    return _mm512_maskz_broadcastd_epi32(0xffff, _mm_loadu_si32(four));  // masked: as in quantized_vnni-inl.h
  }
  static HEED_ALWAYS_INLINE Sums Add(Sums sums, Activations x, Weights weights) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(x), "v"(weights));  // as text: as in quantized_vnni-inl.h
    return sums;
  }
  static HEED_ALWAYS_INLINE void Store(const Bf16Operands& a, Sums sums, int64_t m, int64_t p, int) {
    float* const y = a.output(m, p);
    __m512 value = _mm512_add_ps(sums, _mm512_loadu_ps(a.bias_of(p)));
    if (a.accumulate) value = _mm512_add_ps(value, _mm512_loadu_ps(y));
    _mm512_storeu_ps(y, value);
  }
};

}  // namespace
}  // namespace heed
