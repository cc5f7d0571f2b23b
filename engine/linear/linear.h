// SPDX-License-Identifier: Apache-2.0
// Linear layers: y = activation(x W^T + b), by a backend that is fixed when the layer is made.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/core/matrix.h"
#include "engine/kernels/kernels.h"
#include "engine/linear/bf16_panels.h"
#include "engine/linear/packed_product.h"
#include "engine/linear/quantized_panels.h"
#include "engine/linear/tiled_product.h"
#include "files/safetensors.h"

namespace heed {

enum class GemmBackend {
  kPacked,  // our kernel over weights packed once (engine/linear/packed_product.h)
  kTiled,   // oneDNN over fixed row tiles (engine/linear/tiled_product.h)
  kInt8,    // weights and activations in 8 bits (engine/linear/quantized_product.h)
  kBf16,    // weights and activations in bfloat16 (engine/linear/bf16_product.h), where PrecisionHere has it
};

// What a layer mostly sees.
enum class RowCount {
  kFew,   // a decoder's step: one row for each running hypothesis
  kMany,  // an encoder's pass: all tokens of a sentence
};

// The backend for f32 that was faster on this machine's instruction set, from a table filled from
// tests/bench/linear_bench.
GemmBackend PreferredBackend(RowCount rows);
absl::string_view BackendName(GemmBackend backend);

// Immutable once made; thread-safe.
class Linear {
 public:
  // Weights [out, in] and bias [out] (null: zeros) of a layer, or of one of several layers over the same input that are
  // computed as one, their outputs side by side (queries, keys and values).
  struct Part {
    const StoredTensor* weight;
    const StoredTensor* bias;
  };

  Linear() = default;
  // Packed weights are stored as f16 if every one of them is an f16 value, else as f32. Parts have the same `in`.
  Linear(absl::Span<const Part> parts, Activation activation, GemmBackend backend);

  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  int64_t weights() const { return in_ * out_ + out_; }
  int64_t resident_bytes() const;
  GemmBackend backend() const { return backend_; }
  // Of kInt8 and kBf16: |W - W'| / |W|, where W' are the weights as they are stored; otherwise 0.
  double relative_error() const { return std::max(quantized_.relative_error(), bf16_.relative_error()); }

  // y = activation(x W^T + b). x [rows, in], y [rows, out] with room for PaddedStride(out) columns.
  void Apply(ConstMatrixView x, MatrixView y, Context& context) const { Product(x, false, y, context); }
  // The same for one sparse row, in time proportional to its `count` values at ascending columns: y[0, out), with room
  // as above. Only for layers of kTiled without activation.
  void ApplyToSparseRow(const float* values, const int32_t* columns, int64_t count, float* y) const;
  // y += x W^T + b; only for layers without activation.
  void AddTo(ConstMatrixView x, MatrixView y, Context& context) const { Product(x, true, y, context); }

 private:
  void Product(ConstMatrixView x, bool accumulate, MatrixView y, Context& context) const;

  int64_t in_ = 0, out_ = 0;
  Activation activation_ = Activation::kNone;
  GemmBackend backend_ = GemmBackend::kPacked;
  PackedPanels panels_;        // kPacked
  TiledWeights tiles_;         // kTiled
  QuantizedPanels quantized_;  // kInt8
  Bf16Panels bf16_;            // kBf16
  std::vector<float> bias_;    // [out], padded to whole panels of 16
};

// Packs the rows of one tensor [out, in], as f16 if that loses nothing.
PackedPanels PackRows(const StoredTensor& weight);

// How many panels of `inputs` x 16 weights a thread takes at a time, when `rows` rows meet `panels` of them: enough
// work to pay for handing it out, in enough pieces to keep the whole team busy. `speed`: how many multiply-adds take
// the time of one in f32.
int64_t PanelsPerPart(int64_t rows, int64_t inputs, int64_t panels, int team_size, int64_t speed = 1);
// Of kInt8 and kBf16, about.
inline constexpr int64_t kInt8Speed = 4, kBf16Speed = 2;

}  // namespace heed
