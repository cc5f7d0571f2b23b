// SPDX-License-Identifier: Apache-2.0
// The vectors of AVX-512 VNNI for line_block-inl.h: one instruction adds four products of 8 bits to each sum. Included
// once in each file that needs them, inside HEED_BEGIN_TARGET. (The masked forms are the plain instructions: GCC 12
// takes the plain forms to use what is not initialized.)
#pragma once

#include <immintrin.h>

#include "engine/linear/line_block-inl.h"
#include "engine/linear/quantized_kernels.h"

namespace heed {
namespace {

struct Vnni {
  static constexpr int kPanelVectors = 1;
  static constexpr int kMaxSums = 24;
  static constexpr int kMaxRows = 8;
  using Sums = __m512i;
  using Weights = __m512i;
  using Activations = __m512i;

  static HEED_ALWAYS_INLINE Sums Begin(const QuantizedOperands& a, int64_t p, int) {
    return _mm512_loadu_si512(a.weights.compensation(p));
  }
  static HEED_ALWAYS_INLINE Weights LoadWeights(const int8_t* p) { return _mm512_load_si512(p); }
  static HEED_ALWAYS_INLINE Activations Broadcast(const uint8_t* four) {
    // From memory: by way of a register for integers it took twice as long.
    return _mm512_maskz_broadcastd_epi32(0xffff, _mm_loadu_si32(four));
  }
  static HEED_ALWAYS_INLINE Sums Add(Sums sums, Activations x, Weights weights) {
    // As text: around the intrinsic GCC 12 moves sums to and fro between registers and memory, at half the speed.
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), "v"(weights));
    return sums;
  }
  static HEED_ALWAYS_INLINE void Store(const QuantizedOperands& a, Sums sums, int64_t m, int64_t p, int) {
    float* const y = a.output(m, p);
    const __m512 factor = _mm512_mul_ps(_mm512_set1_ps(a.activations.scales[m]), _mm512_loadu_ps(a.weights.scales(p)));
    __m512 value = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(0xffff, sums), factor, _mm512_loadu_ps(a.bias_of(p)));
    if (a.accumulate) value = _mm512_add_ps(value, _mm512_loadu_ps(y));
    _mm512_storeu_ps(y, value);
  }
};

}  // namespace
}  // namespace heed
