#include "models/graph_head.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"

namespace heed {
namespace {


}  // namespace

absl::StatusOr<Perceptron> Perceptron::Load(const std::vector<LinearConfig>& layers, int64_t in,
                                            CheckpointTensors& tensors) {
  Perceptron made;
  made.in_ = in;
  for (const LinearConfig& layer : layers) {
    HEED_ASSIGN_OR_RETURN(Linear linear, tensors.ReadLinear(layer.name, -1, made.out(), layer.activation));
    made.layers_.push_back(std::move(linear));
  }
  return made;
}

int64_t Perceptron::weights() const {
  int64_t weights = 0;
  for (const Linear& layer : layers_) weights += layer.weights();
  return weights;
}

int64_t Perceptron::resident_bytes() const {
  int64_t bytes = 0;
  for (const Linear& layer : layers_) bytes += layer.resident_bytes();
  return bytes;
}

ConstMatrixView Perceptron::Apply(ConstMatrixView x, Context& context) const {
  for (const Linear& layer : layers_) {
    const MatrixView y = TakeMatrix(context.arena, x.rows, layer.out());
    layer.Apply(x, y, context);
    x = y;
  }
  return x;
}

absl::StatusOr<GraphHead> GraphHead::Load(const GraphConfig& config, int64_t width, CheckpointTensors& tensors) {
  GraphHead made;
  made.task_ = config.task;
  made.decoder_ = config.decoder;
  made.pooling_ = config.pooling;
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
      HEED_ASSIGN_OR_RETURN(made.gate_, Perceptron::Load(config.gate, width, tensors));
      if (config.pooling == Pooling::kAttention && made.gate_.out() != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat(config.path, ": readout: gate has ", made.gate_.out(), " outputs, but a gate is one number"));
      }
      HEED_ASSIGN_OR_RETURN(made.transform_, Perceptron::Load(config.transform, width, tensors));
      made.in_ = made.transform_.out();
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

int64_t GraphHead::weights() const { return gate_.weights() + transform_.weights() + mlp_.weights(); }
int64_t GraphHead::resident_bytes() const {
  return gate_.resident_bytes() + transform_.resident_bytes() + mlp_.resident_bytes();
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
  Arena::Scope scope(context.arena);
  std::fill(to, to + in_, 0.0f);
  if (rows.rows == 0) return;
  switch (pooling_) {
    case Pooling::kMax:
      std::copy(rows.row(0), rows.row(0) + in_, to);
      for (int64_t i = 1; i < rows.rows; ++i) {
        // What is not a number stays so.
        for (int64_t c = 0; c < in_; ++c) {
          const float value = rows.row(i)[c];
          if (value > to[c] || std::isnan(value)) to[c] = value;
        }
      }
      return;
    case Pooling::kSum:
    case Pooling::kMean:
      for (int64_t i = 0; i < rows.rows; ++i) {
        for (int64_t c = 0; c < in_; ++c) to[c] += rows.row(i)[c];
      }
      if (pooling_ == Pooling::kMean) {
        for (int64_t c = 0; c < in_; ++c) to[c] /= static_cast<float>(rows.rows);
      }
      return;
    case Pooling::kAttention: {
      const ConstMatrixView gates = gate_.Apply(rows, context);
      const ConstMatrixView values = transform_.Apply(rows, context);
      float largest = -std::numeric_limits<float>::infinity();
      for (int64_t i = 0; i < rows.rows; ++i) largest = std::max(largest, gates.row(i)[0]);
      float sum = 0;
      for (int64_t i = 0; i < rows.rows; ++i) {
        const float weight = std::exp(gates.row(i)[0] - largest);
        sum += weight;
        for (int64_t c = 0; c < in_; ++c) to[c] += weight * values.row(i)[c];
      }
      for (int64_t c = 0; c < in_; ++c) to[c] /= sum + kSoftmaxEpsilon;
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
