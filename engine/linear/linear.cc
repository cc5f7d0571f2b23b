// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/linear.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/instruction_set.h"
#include "engine/linear/bf16_product.h"
#include "engine/linear/quantized_product.h"
#include "engine/linear/sparse_product.h"
#include "files/float16.h"
#include "files/tensor_values.h"

namespace heed {
namespace {

// From tests/bench/linear_bench.
struct PreferenceRow {
  InstructionSet instruction_set;
  GemmBackend few, many;
};
constexpr PreferenceRow kPreferences[] = {
    {InstructionSet::kPortable, GemmBackend::kPacked, GemmBackend::kTiled},
    // Zen 3: for 16 to 288 rows the packed kernel ran at 72 to 98 GFLOP/s a core and oneDNN over full tiles at 72 to
    // 85, and a sentence of 12 tokens need not pay for 48.
    {InstructionSet::kAvx2, GemmBackend::kPacked, GemmBackend::kPacked},
    // Zen 4: the packed kernel ran at 104 to 117 GFLOP/s from 4 rows on, oneDNN over full tiles at 65 to 80.
    {InstructionSet::kAvx512, GemmBackend::kPacked, GemmBackend::kPacked},
};

// A few microseconds of one core: less is not worth another thread's while.
constexpr int64_t kMultiplyAddsPerPart = 1 << 17;

}  // namespace

GemmBackend PreferredBackend(RowCount rows) {
  GemmBackend preferred = GemmBackend::kPacked;
  for (const PreferenceRow& row : kPreferences) {
    if (row.instruction_set <= UsedInstructionSet()) preferred = rows == RowCount::kFew ? row.few : row.many;
  }
  return preferred;
}

absl::string_view BackendName(GemmBackend backend) {
  switch (backend) {
    case GemmBackend::kPacked:
      return "packed";
    case GemmBackend::kTiled:
      return "tiled";
    case GemmBackend::kInt8:
      return "int8";
    case GemmBackend::kBf16:
      return "bf16";
  }
  return "";
}

int64_t PanelsPerPart(int64_t rows, int64_t inputs, int64_t panels, int team_size, int64_t speed) {
  if (team_size == 1) return std::max<int64_t>(1, panels);
  const int64_t worthwhile = speed * kMultiplyAddsPerPart / std::max<int64_t>(1, rows * inputs * kPanelCols) + 1;
  // As many panels as the kernels take at once; and each thread the same number of parts.
  const int64_t at_once = rows <= 3 ? 8 : 6;
  const int64_t parts = std::clamp<int64_t>(panels / at_once / team_size, 1, 4) * team_size;
  return std::max(worthwhile, (panels + parts - 1) / parts);
}

PackedPanels PackRows(const StoredTensor& weight) {
  const int64_t out = weight.shape[0], in = weight.shape[1];
  const std::vector<float> values = ReadFloats(weight);
  const bool exact = std::all_of(values.begin(), values.end(), IsExactInF16);
  return PackedPanels(out, in, exact ? Storage::kF16 : Storage::kF32,
                      [&](int64_t n, int64_t k) { return values[static_cast<size_t>(n * in + k)]; });
}

Linear::Linear(absl::Span<const Part> parts, Activation activation, GemmBackend backend)
    : activation_(activation), backend_(backend) {
  std::vector<float> values;
  for (const Part& part : parts) {
    const std::vector<float> part_values = ReadFloats(*part.weight);
    values.insert(values.end(), part_values.begin(), part_values.end());
    in_ = part.weight->shape[1];
    out_ += part.weight->shape[0];
    if (part.bias != nullptr) {
      const std::vector<float> part_bias = ReadFloats(*part.bias);
      bias_.insert(bias_.end(), part_bias.begin(), part_bias.end());
    } else {
      bias_.resize(bias_.size() + static_cast<size_t>(part.weight->shape[0]));
    }
  }
  const auto weight = [&](int64_t n, int64_t k) { return values[static_cast<size_t>(n * in_ + k)]; };
  switch (backend_) {
    case GemmBackend::kPacked: {
      const bool exact = std::all_of(values.begin(), values.end(), IsExactInF16);
      panels_ = PackedPanels(out_, in_, exact ? Storage::kF16 : Storage::kF32, weight);
      break;
    }
    case GemmBackend::kTiled:
      tiles_ = TiledWeights(out_, in_, weight);
      break;
    case GemmBackend::kInt8:
      quantized_ = QuantizedPanels(out_, in_, values.data());
      break;
    case GemmBackend::kBf16:
      bf16_ = Bf16Panels(out_, in_, values.data());
      break;
  }
  bias_.resize((bias_.size() + kPanelCols - 1) / kPanelCols * kPanelCols);
}

int64_t Linear::resident_bytes() const {
  return panels_.bytes() + tiles_.bytes() + quantized_.bytes() + bf16_.bytes() +
         static_cast<int64_t>(bias_.size() * sizeof(float));
}

void Linear::ApplyToSparseRow(const float* values, const int32_t* columns, int64_t count, float* y) const {
  SparseRowProduct(values, columns, count, tiles_.transposed(), bias_.data(), y);
}

void Linear::Product(ConstMatrixView x, bool accumulate, MatrixView y, Context& context) const {
  if (backend_ == GemmBackend::kTiled) {
    TiledProduct(tiles_, x, bias_.data(), activation_, accumulate, y, context);
    return;
  }
  Arena::Scope scope(context.arena);
  const bool int8 = backend_ == GemmBackend::kInt8, bf16 = backend_ == GemmBackend::kBf16;
  const QuantizedRows quantized = int8 ? Quantized(x, context) : QuantizedRows();
  const Bf16Rows narrow = bf16 ? InBf16(x, context) : Bf16Rows();
  const int64_t panels = (out_ + kPanelCols - 1) / kPanelCols;
  const int64_t per_part = PanelsPerPart(x.rows, in_, panels, context.team.size(),
                                         int8   ? kInt8Speed
                                         : bf16 ? kBf16Speed
                                                : 1);
  const int64_t parts = (panels + per_part - 1) / per_part;
  context.team.Run(parts, [&](int64_t part) {
    const int64_t first = part * per_part;
    const int64_t last = std::min(first + per_part, panels);
    const MatrixView to = y.Cols(first * kPanelCols, (last - first) * kPanelCols);
    const float* const bias = bias_.data() + first * kPanelCols;
    if (int8) {
      QuantizedProduct(quantized_, quantized, first, last, bias, accumulate, to);
    } else if (bf16) {
      Bf16Product(bf16_, narrow, first, last, bias, accumulate, to);
    } else {
      PackedProduct(panels_, x, first, last, bias, accumulate, to);
    }
    if (activation_ == Activation::kNone) return;
    for (int64_t m = 0; m < x.rows; ++m) Activate(activation_, to.row(m), to.cols);
  });
}

}  // namespace heed
