// SPDX-License-Identifier: Apache-2.0
// Sums whose order does not depend on the width of the machine's vectors: kernels that add up in a fixed number of
// lanes, in one vector or in several, end with this. So their results are the same with AVX2 and with AVX-512.
#pragma once

#include <cstddef>

namespace heed {

// The sum of `lanes`, of which each is added to the one half of them away, until one is left. N a power of two.
template <size_t N>
inline float SumInPairs(float (&lanes)[N]) {
  static_assert((N & (N - 1)) == 0);
  for (size_t half = N / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

}  // namespace heed
