// SPDX-License-Identifier: Apache-2.0
// 8 bits with AVX2 alone: |x| times the weights with x's sign in pairs of 16 bits, which cannot saturate as both are
// within 127 (2 x 127 x 127 < 32,768), then pairs of those in 32 bits.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "engine/linear/quantized_kernels.h"
#include "engine/linear/target.h"

HEED_BEGIN_TARGET("avx2,fma")
#include "engine/linear/line_block-inl.h"

namespace heed {
namespace {

struct Avx2 {
  static constexpr int kPanelVectors = 2;
  static constexpr int kMaxSums = 8;
  static constexpr int kMaxRows = 4;
  using Sums = __m256i;
  using Weights = __m256i;
  struct Activations {
    __m256i signed_value, magnitude;
  };

  static HEED_ALWAYS_INLINE Sums Begin(const QuantizedOperands&, int64_t, int) { return _mm256_setzero_si256(); }
  static HEED_ALWAYS_INLINE Weights LoadWeights(const int8_t* p) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  }
  static HEED_ALWAYS_INLINE Activations Broadcast(const uint8_t* four) {
    const __m256i value = _mm256_xor_si256(_mm256_broadcastd_epi32(_mm_loadu_si32(four)), _mm256_set1_epi8(-128));
    return {value, _mm256_abs_epi8(value)};
  }
  static HEED_ALWAYS_INLINE Sums Add(Sums sums, Activations x, Weights weights) {
    const __m256i pairs = _mm256_maddubs_epi16(x.magnitude, _mm256_sign_epi8(weights, x.signed_value));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static HEED_ALWAYS_INLINE void Store(const QuantizedOperands& a, Sums sums, int64_t m, int64_t p, int v) {
    float* const y = a.output(m, p) + 8 * v;
    const __m256 factor =
        _mm256_mul_ps(_mm256_set1_ps(a.activations.scales[m]), _mm256_loadu_ps(a.weights.scales(p) + 8 * v));
    __m256 value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), factor, _mm256_loadu_ps(a.bias_of(p) + 8 * v));
    if (a.accumulate) value = _mm256_add_ps(value, _mm256_loadu_ps(y));
    _mm256_storeu_ps(y, value);
  }
};

}  // namespace

void QuantizedProductAvx2(const QuantizedOperands& product) { RowsByLines<Avx2>(product, 0, product.rows); }

}  // namespace heed
HEED_END_TARGET

#endif
