// SPDX-License-Identifier: Apache-2.0
// Products of narrow numbers by blocks of rows and panels whose sums stay in registers, for any vector type. Included
// once in each kernel's file, inside HEED_BEGIN_TARGET: what it defines belongs to that file alone.
//
// All are in lines: 4 bytes of a row (4 numbers of 8 bits, or 2 of 16) meet 64 bytes of a panel, the like 4 bytes of
// its 16 outputs.
//
// Operands says where they are:
//   panel(p), panel_bytes()         panel p's lines
//   row(m), row_bytes, row_stride   row m, and the distance to the next
//   rows, first, last               rows, and panels [first, last)
//   output(m, p)                    where row m's 16 outputs of panel p go
// V says how wide a vector is and how it sums:
//   kPanelVectors                   vectors of one panel
//   kMaxSums, kMaxRows              registers for sums; rows that share a load of weights
//   Sums, Weights, Activations      types
//   Sums Begin(operands, p, v)      what a sum begins with, of vector v of panel p
//   Weights LoadWeights(p), Activations Broadcast(four)
//   Sums Add(sums, activations, weights)
//   void Store(operands, sums, m, p, v)
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "engine/linear/packed_product.h"

#define HEED_ALWAYS_INLINE inline __attribute__((always_inline))

namespace heed {
namespace {

// body(std::integral_constant<int, i>()) for each i in [0, N), written out by the compiler: sums in arrays stay in
// registers only so (with loops that it unrolls later GCC 12 kept a copy of each in memory: half the speed).
template <int N, class Body>
HEED_ALWAYS_INLINE void Unrolled(Body body) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, I>()), ...);
  }
  (std::make_integer_sequence<int, N>());
}

// Rows [m0, m0 + M) against panels [p, p + P).
template <class V, int M, int P, class Operands>
void LineBlock(const Operands& a, int64_t m0, int64_t p) {
  constexpr int kSums = P * V::kPanelVectors;
  constexpr int64_t kVectorBytes = 64 / V::kPanelVectors;
  const int64_t panel_bytes = a.panel_bytes();
  const int64_t row_bytes = a.row_bytes, stride = a.row_stride;
  const auto* const panel = a.panel(p);
  const auto* const x = a.row(m0);
  typename V::Sums sum[M][kSums];
  Unrolled<M>([&](auto m) __attribute__((always_inline)) {
    Unrolled<kSums>([&](auto v) __attribute__((always_inline)) {
      sum[m][v] = V::Begin(a, p + v / V::kPanelVectors, v % V::kPanelVectors);
    });
  });
  for (int64_t k = 0; k < row_bytes; k += 4) {
    const auto load = [&](int v) __attribute__((always_inline)) {
      return V::LoadWeights(panel + v / V::kPanelVectors * panel_bytes + k * kPanelCols +
                            v % V::kPanelVectors * kVectorBytes);
    };
    // Of rows and weights, the fewer are held in registers while the others pass.
    if constexpr (M <= kSums) {
      typename V::Activations row[M];
      Unrolled<M>([&](auto m) __attribute__((always_inline)) { row[m] = V::Broadcast(x + m * stride + k); });
      Unrolled<kSums>([&](auto v) __attribute__((always_inline)) {
        const typename V::Weights column = load(v);
        Unrolled<M>([&](auto m) __attribute__((always_inline)) { sum[m][v] = V::Add(sum[m][v], row[m], column); });
      });
    } else {
      typename V::Weights column[kSums];
      Unrolled<kSums>([&](auto v) __attribute__((always_inline)) { column[v] = load(v); });
      Unrolled<M>([&](auto m) __attribute__((always_inline)) {
        const typename V::Activations row = V::Broadcast(x + m * stride + k);
        Unrolled<kSums>([&](auto v) __attribute__((always_inline)) { sum[m][v] = V::Add(sum[m][v], row, column[v]); });
      });
    }
  }
  Unrolled<M>([&](auto m) __attribute__((always_inline)) {
    Unrolled<kSums>([&](auto v) __attribute__((always_inline)) {
      V::Store(a, sum[m][v], m0 + m, p + v / V::kPanelVectors, v % V::kPanelVectors);
    });
  });
}

// M rows take so many panels at once: enough sums to hide the latency of a dot product, and no more panels than the
// machine can prefetch side by side.
template <class V, int M>
constexpr int LinePanelsAtOnce() {
  return std::clamp(V::kMaxSums / (M * V::kPanelVectors), 1, 8);
}

// P panels at a time, and what is left by halves.
template <class V, int M, int P, class Operands>
void LinePanels(const Operands& a, int64_t m0, int64_t p, int64_t last) {
  for (; p + P <= last; p += P) LineBlock<V, M, P>(a, m0, p);
  if constexpr (P > 1) {
    if (p < last) LinePanels<V, M, P / 2>(a, m0, p, last);
  }
}

// `rows` rows, at most M.
template <class V, int M, class Operands>
void FewRowsByLines(const Operands& a, int64_t m0, int64_t rows, int64_t p, int64_t last) {
  if constexpr (M > 0) {
    if (rows < M) return FewRowsByLines<V, M - 1>(a, m0, rows, p, last);
    LinePanels<V, M, LinePanelsAtOnce<V, M>()>(a, m0, p, last);
  }
}

// Rows [first_row, last_row) against all panels, which stay in the cache while the rows pass them in blocks as equal as
// can be.
template <class V, class Operands>
void RowsByLines(const Operands& a, int64_t first_row, int64_t last_row) {
  const int64_t rows = last_row - first_row;
  if (rows <= V::kMaxRows) return FewRowsByLines<V, V::kMaxRows>(a, first_row, rows, a.first, a.last);
  constexpr int64_t kPanels = LinePanelsAtOnce<V, V::kMaxRows>();
  const int64_t blocks = (rows + V::kMaxRows - 1) / V::kMaxRows;
  for (int64_t p = a.first; p < a.last; p += kPanels) {
    const int64_t end = std::min(p + kPanels, a.last);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t begin = rows * b / blocks;
      FewRowsByLines<V, V::kMaxRows>(a, first_row + begin, rows * (b + 1) / blocks - begin, p, end);
    }
  }
}

}  // namespace
}  // namespace heed
