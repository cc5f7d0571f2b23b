// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_head.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/core/team.h"

namespace heed {

absl::StatusOr<Perceptron> Perceptron::Load(const std::vector<LinearConfig>& layers, int64_t in,
                                            const WeightReader& tensors) {
  Perceptron made;
  made.in_ = in;
  for (const LinearConfig& layer : layers) {
    Layer loaded;
    loaded.finishes = layer.norm.kind != NormKind::kNone || layer.activation.other != RowActivation::Other::kNone;
    const Activation activation = loaded.finishes ? Activation::kNone : layer.activation.standard;
    HEED_ASSIGN_OR_RETURN(loaded.linear, tensors.ReadLinear(layer.name, -1, made.out(), activation));
    if (loaded.finishes) {
      HEED_ASSIGN_OR_RETURN(loaded.finish, RowFinish::Load(layer.norm, layer.activation, layer.activation_first,
                                                           loaded.linear.out(), false, tensors));
    }
    made.layers_.push_back(std::move(loaded));
  }
  return made;
}

int64_t Perceptron::weights() const {
  int64_t weights = 0;
  for (const Layer& layer : layers_) weights += layer.linear.weights();
  return weights;
}

int64_t Perceptron::resident_bytes() const {
  int64_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.linear.resident_bytes() + layer.finish.resident_bytes();
  return bytes;
}

ConstMatrixView Perceptron::Apply(ConstMatrixView x, Context& context) const {
  for (const Layer& layer : layers_) {
    const MatrixView y = TakeMatrix(context.arena, x.rows, layer.linear.out());
    layer.linear.Apply(x, y, context);
    if (layer.finishes) {
      RunRows(context.team, y.rows, y.cols, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) layer.finish.FinishRow(y.row(i));
      });
    }
    x = y;
  }
  return x;
}

absl::StatusOr<GraphHead> GraphHead::Load(const GraphConfig& config, int64_t width, const WeightReader& tensors) {
  GraphHead made;
  made.task_ = config.task;
  made.decoder_ = config.decoder;
  made.sigmoid_ = config.sigmoid;
  made.width_ = width;
  made.in_ = width;
  switch (config.task) {
    case GraphTaskKind::kNode:
      break;
    case GraphTaskKind::kEdge:
      if (config.decoder == EdgeDecoder::kDot) made.in_ = 1;
      if (config.decoder == EdgeDecoder::kConcat) made.in_ = 2 * width;
      break;
    case GraphTaskKind::kGraph: {
      made.in_ = 0;
      for (const ReadoutConfig& readout : config.readouts) {
        Readout loaded;
        loaded.pooling = readout.pooling;
        HEED_ASSIGN_OR_RETURN(loaded.gate, Perceptron::Load(readout.gate, width, tensors));
        if (readout.pooling == GraphPooling::kAttention && loaded.gate.out() != 1) {
          return absl::InvalidArgumentError(absl::StrCat(config.path, ": readout: gate has ", loaded.gate.out(),
                                                         " outputs, but a gate is one number"));
        }
        HEED_ASSIGN_OR_RETURN(loaded.transform, Perceptron::Load(readout.transform, width, tensors));
        made.in_ += loaded.transform.out();
        made.readouts_.push_back(std::move(loaded));
      }
      break;
    }
  }
  const std::vector<LinearConfig>& layers = config.task == GraphTaskKind::kEdge ? config.decoder_layers : config.mlp;
  HEED_ASSIGN_OR_RETURN(made.mlp_, Perceptron::Load(layers, made.in_, tensors));
  made.logits_ = made.mlp_.out();
  if (!made.sigmoid_ && made.logits_ == 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.path, ": output is softmax, but the network has 1 output: it would always be certain"));
  }
  // One output of a sigmoid tells two classes apart.
  made.classes_ = static_cast<int>(made.sigmoid_ && made.logits_ == 1 ? 2 : made.logits_);
  if (!config.labels.empty() && static_cast<int>(config.labels.size()) != made.classes_) {
    return absl::InvalidArgumentError(absl::StrCat(config.path, ": labels are ", config.labels.size(),
                                                   ", but the network has ", made.classes_, " classes"));
  }
  return made;
}

int64_t GraphHead::weights() const {
  int64_t weights = mlp_.weights();
  for (const Readout& readout : readouts_) weights += readout.gate.weights() + readout.transform.weights();
  return weights;
}

int64_t GraphHead::resident_bytes() const {
  int64_t bytes = mlp_.resident_bytes();
  for (const Readout& readout : readouts_) bytes += readout.gate.resident_bytes() + readout.transform.resident_bytes();
  return bytes;
}

void GraphHead::CombineEnds(const float* source, const float* target, float* to) const {
  switch (decoder_) {
    case EdgeDecoder::kDot:
      to[0] = 0;
      for (int64_t c = 0; c < width_; ++c) to[0] += source[c] * target[c];
      return;
    case EdgeDecoder::kConcat:
      std::copy(source, source + width_, to);
      std::copy(target, target + width_, to + width_);
      return;
    case EdgeDecoder::kProduct:
      for (int64_t c = 0; c < width_; ++c) to[c] = source[c] * target[c];
      return;
  }
}

void GraphHead::Pool(ConstMatrixView rows, float* to, Context& context) const {
  for (const Readout& readout : readouts_) {
    readout.Pool(rows, to, context);
    to += readout.transform.out();
  }
}

void GraphHead::Readout::Pool(ConstMatrixView rows, float* to, Context& context) const {
  const int64_t width = transform.out();
  Arena::Scope scope(context.arena);
  std::fill(to, to + width, 0.0f);
  if (rows.rows == 0) return;
  switch (pooling) {
    case GraphPooling::kMax:
      std::copy(rows.row(0), rows.row(0) + width, to);
      for (int64_t i = 1; i < rows.rows; ++i) {
        // What is not a number stays so.
        for (int64_t c = 0; c < width; ++c) {
          const float value = rows.row(i)[c];
          if (value > to[c] || std::isnan(value)) to[c] = value;
        }
      }
      return;
    case GraphPooling::kSum:
    case GraphPooling::kMean:
      for (int64_t i = 0; i < rows.rows; ++i) {
        for (int64_t c = 0; c < width; ++c) to[c] += rows.row(i)[c];
      }
      if (pooling == GraphPooling::kMean) {
        for (int64_t c = 0; c < width; ++c) to[c] /= static_cast<float>(rows.rows);
      }
      return;
    case GraphPooling::kAttention: {
      const ConstMatrixView gates = gate.Apply(rows, context);
      const ConstMatrixView values = transform.Apply(rows, context);
      float largest = -std::numeric_limits<float>::infinity();
      for (int64_t i = 0; i < rows.rows; ++i) largest = std::max(largest, gates.row(i)[0]);
      float sum = 0;
      for (int64_t i = 0; i < rows.rows; ++i) {
        const float weight = std::exp(gates.row(i)[0] - largest);
        sum += weight;
        for (int64_t c = 0; c < width; ++c) to[c] += weight * values.row(i)[c];
      }
      for (int64_t c = 0; c < width; ++c) to[c] /= sum + kSoftmaxEpsilon;
      return;
    }
  }
}

std::vector<float> GraphHead::Decode(ConstMatrixView rows, Context& context) const {
  Arena::Scope scope(context.arena);
  const ConstMatrixView logits = mlp_.Apply(rows, context);
  std::vector<float> probabilities(static_cast<size_t>(rows.rows * classes_));
  for (int64_t i = 0; i < rows.rows; ++i) {
    const float* row = logits.row(i);
    float* to = probabilities.data() + i * classes_;
    if (!std::all_of(row, row + logits_, [](float logit) { return std::isfinite(logit); })) {
      std::fill(to, to + classes_, std::numeric_limits<float>::quiet_NaN());
    } else if (!sigmoid_) {
      const float largest = *std::max_element(row, row + logits_);
      float sum = 0;
      for (int64_t c = 0; c < logits_; ++c) sum += to[c] = std::exp(row[c] - largest);
      for (int64_t c = 0; c < logits_; ++c) to[c] /= sum;
    } else if (logits_ == 1) {
      to[0] = Sigmoid(-row[0]);
      to[1] = Sigmoid(row[0]);
    } else {
      for (int64_t c = 0; c < logits_; ++c) to[c] = Sigmoid(row[c]);
    }
  }
  return probabilities;
}

}  // namespace heed
