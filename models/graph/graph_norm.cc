// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_norm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/kernels/kernels.h"

namespace heed {
namespace {

// torch.nn.functional.selu
constexpr float kSeluAlpha = 1.6732632423543772f;
constexpr float kSeluScale = 1.0507009873554805f;
// torch.nn.functional.softplus is the identity above it.
constexpr float kSoftplusThreshold = 20;

template <typename Function>
void ForEach(float* row, int64_t width, Function function) {
  for (int64_t c = 0; c < width; ++c) row[c] = function(row[c]);
}

}  // namespace

void ActivateRow(const RowActivation& activation, float* row, int64_t width) {
  switch (activation.other) {
    case RowActivation::Other::kNone:
      Activate(activation.standard, row, width);
      return;
    case RowActivation::Other::kLeakyRelu:
      ForEach(row, width, [&](float x) { return x < 0 ? x * activation.slope : x; });
      return;
    case RowActivation::Other::kSelu:
      ForEach(row, width, [](float x) { return kSeluScale * (x < 0 ? kSeluAlpha * std::expm1(x) : x); });
      return;
    case RowActivation::Other::kSoftplus:
      ForEach(row, width, [](float x) { return x > kSoftplusThreshold ? x : std::log1p(std::exp(x)); });
      return;
  }
}

absl::StatusOr<RowFinish> RowFinish::Load(const GraphNormConfig& norm, const RowActivation& activation,
                                          bool activation_first, int64_t width, bool batched,
                                          const WeightReader& tensors) {
  RowFinish made;
  made.norm_ = norm;
  made.activation_ = activation;
  made.activation_first_ = activation_first;
  made.batched_ = batched;
  made.width_ = width;
  if (!norm.has_weights()) return made;
  const auto read_or = [&](const char* leaf, float fallback, std::vector<float>& values) -> absl::Status {
    const std::string name = absl::StrCat(norm.name, leaf);
    values.assign(static_cast<size_t>(width), fallback);
    if (tensors.Has(name)) {
      HEED_ASSIGN_OR_RETURN(values, tensors.Read(name, {width}));
    }
    return absl::OkStatus();
  };
  HEED_RETURN_IF_ERROR(read_or(".weight", 1, made.scale_));
  HEED_RETURN_IF_ERROR(read_or(".bias", 0, made.shift_));
  if (norm.kind == NormKind::kGraph) HEED_RETURN_IF_ERROR(read_or(".mean_scale", 1, made.mean_));
  if (norm.kind == NormKind::kBatch) {
    HEED_ASSIGN_OR_RETURN(made.mean_, tensors.Read(absl::StrCat(norm.name, ".running_mean"), {width}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> variance,
                          tensors.Read(absl::StrCat(norm.name, ".running_var"), {width}));
    tensors.Ignore(absl::StrCat(norm.name, ".num_batches_tracked"));
    for (size_t c = 0; c < variance.size(); ++c) {
      const double spread = static_cast<double>(variance[c]) + static_cast<double>(norm.epsilon);
      if (!(spread > 0)) {
        return absl::InvalidArgumentError(absl::StrCat("tensor ", norm.name, ".running_var: value ", c, " is ",
                                                       variance[c], ", which with eps ", norm.epsilon,
                                                       " is no variance above 0"));
      }
      made.scale_[c] = static_cast<float>(static_cast<double>(made.scale_[c]) / std::sqrt(spread));
    }
  }
  return made;
}

int64_t RowFinish::resident_bytes() const {
  return static_cast<int64_t>((scale_.size() + shift_.size() + mean_.size()) * sizeof(float));
}

void RowFinish::FinishRow(float* row) const {
  if (activation_first_) ActivateRow(activation_, row, width_);
  switch (norm_.kind) {
    case NormKind::kLayerNode:
      LayerNorm(row, width_, scale_.data(), shift_.data(), norm_.epsilon);
      break;
    case NormKind::kBatch:
      for (int64_t c = 0; c < width_; ++c) {
        const size_t at = static_cast<size_t>(c);
        row[c] = (row[c] - mean_[at]) * scale_[at] + shift_[at];
      }
      break;
    case NormKind::kL2: {
      double squares = 0;
      for (int64_t c = 0; c < width_; ++c) squares += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      const double divisor = std::max(std::sqrt(squares), static_cast<double>(norm_.epsilon));
      for (int64_t c = 0; c < width_; ++c) row[c] = static_cast<float>(static_cast<double>(row[c]) / divisor);
      break;
    }
    case NormKind::kNone:
    case NormKind::kLayerGraph:
    case NormKind::kGraph:
    case NormKind::kInstance:
    case NormKind::kPair:
    case NormKind::kMeanSubtraction:
      break;
  }
  if (!activation_first_) ActivateRow(activation_, row, width_);
}

void RowFinish::FinishGraph(MatrixView rows) const {
  if (rows.rows == 0) return;
  const auto activate = [&] {
    for (int64_t i = 0; i < rows.rows; ++i) ActivateRow(activation_, rows.row(i), width_);
  };
  if (activation_first_) activate();
  NormalizeGraph(rows);
  if (!activation_first_) activate();
}

void RowFinish::NormalizeGraph(MatrixView rows) const {
  switch (norm_.kind) {
    case NormKind::kLayerGraph:
      NormalizeTogether(rows);
      return;
    case NormKind::kGraph:
    case NormKind::kInstance:
    case NormKind::kMeanSubtraction:
      NormalizeChannels(rows);
      return;
    case NormKind::kPair:
      NormalizePairs(rows);
      return;
    case NormKind::kNone:
    case NormKind::kLayerNode:
    case NormKind::kBatch:
    case NormKind::kL2:
      return;
  }
}

// Mean and deviation over all nodes and channels.
void RowFinish::NormalizeTogether(MatrixView rows) const {
  const double count = static_cast<double>(rows.rows * width_);
  double sum = 0;
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (int64_t c = 0; c < width_; ++c) sum += static_cast<double>(rows.row(i)[c]);
  }
  const double mean = sum / count;
  double squares = 0;
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (int64_t c = 0; c < width_; ++c) {
      const double centred = static_cast<double>(rows.row(i)[c]) - mean;
      squares += centred * centred;
    }
  }
  const double epsilon = static_cast<double>(norm_.epsilon);
  const double deviation = batched_ ? std::sqrt(squares / count + epsilon) : std::sqrt(squares / count) + epsilon;
  for (int64_t i = 0; i < rows.rows; ++i) {
    float* row = rows.row(i);
    for (int64_t c = 0; c < width_; ++c) {
      const double normal = (static_cast<double>(row[c]) - mean) / deviation;
      row[c] = static_cast<float>(normal) * scale_[static_cast<size_t>(c)] + shift_[static_cast<size_t>(c)];
    }
  }
}

// Mean and variance of each channel over all nodes.
void RowFinish::NormalizeChannels(MatrixView rows) const {
  const double count = static_cast<double>(rows.rows);
  const double epsilon = static_cast<double>(norm_.epsilon);
  for (int64_t c = 0; c < width_; ++c) {
    const size_t at = static_cast<size_t>(c);
    double sum = 0;
    for (int64_t i = 0; i < rows.rows; ++i) sum += static_cast<double>(rows.row(i)[c]);
    const double share = norm_.kind == NormKind::kGraph ? static_cast<double>(mean_[at]) : 1.0;
    const double mean = sum / count * share;
    if (norm_.kind == NormKind::kMeanSubtraction) {
      for (int64_t i = 0; i < rows.rows; ++i) {
        rows.row(i)[c] = static_cast<float>(static_cast<double>(rows.row(i)[c]) - mean);
      }
      continue;
    }
    double squares = 0;
    for (int64_t i = 0; i < rows.rows; ++i) {
      const double centred = static_cast<double>(rows.row(i)[c]) - mean;
      squares += centred * centred;
    }
    const double deviation = std::sqrt(squares / count + epsilon);
    for (int64_t i = 0; i < rows.rows; ++i) {
      const double normal = (static_cast<double>(rows.row(i)[c]) - mean) / deviation;
      rows.row(i)[c] = static_cast<float>(normal) * scale_[at] + shift_[at];
    }
  }
}

// Zhao and Akoglu 2020: each channel less its mean over all nodes; then rows of one mean squared length, or each row of
// length `scale`.
void RowFinish::NormalizePairs(MatrixView rows) const {
  const double count = static_cast<double>(rows.rows);
  for (int64_t c = 0; c < width_; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < rows.rows; ++i) sum += static_cast<double>(rows.row(i)[c]);
    for (int64_t i = 0; i < rows.rows; ++i) {
      rows.row(i)[c] = static_cast<float>(static_cast<double>(rows.row(i)[c]) - sum / count);
    }
  }
  const auto squared_length = [&](int64_t i) {
    double squares = 0;
    for (int64_t c = 0; c < width_; ++c) {
      squares += static_cast<double>(rows.row(i)[c]) * static_cast<double>(rows.row(i)[c]);
    }
    return squares;
  };
  const double epsilon = static_cast<double>(norm_.epsilon), scale = static_cast<double>(norm_.scale);
  double all = 0;
  if (!norm_.scale_individually) {
    for (int64_t i = 0; i < rows.rows; ++i) all += squared_length(i);
  }
  for (int64_t i = 0; i < rows.rows; ++i) {
    const double divisor =
        norm_.scale_individually ? epsilon + std::sqrt(squared_length(i)) : std::sqrt(epsilon + all / count);
    for (int64_t c = 0; c < width_; ++c) {
      rows.row(i)[c] = static_cast<float>(scale * static_cast<double>(rows.row(i)[c]) / divisor);
    }
  }
}

}  // namespace heed
