// The config.json of a graph model, read and checked. models/graph-config.md is its page: fields, values, defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/graph_aggregation.h"
#include "engine/kernels.h"

namespace heed {

enum class GraphTaskKind { kNode, kEdge, kGraph };
enum class NormMode { kNone, kNode, kGraph };
enum class Pooling { kMean, kMax, kSum, kAttention };
enum class EdgeDecoder { kDot, kConcat, kProduct };

struct GraphNormConfig {
  NormMode mode = NormMode::kNone;
  std::string name;  // of its tensors
  float epsilon = 1e-5f;
};

struct GraphLayerConfig {
  std::string name;
  int64_t out_channels = 0;
  int64_t heads = 1;
  bool concat = true;
  float negative_slope = 0.2f;
  bool add_self_loops = true;
  LoopFill fill = LoopFill::kMean;
  float fill_constant = 0;
  bool improved = false;
  bool normalize = true;
  bool share_weights = false;
  enum class Residual { kNone, kLinear, kIdentity } residual = Residual::kNone;
  std::string residual_name;  // kLinear: of its tensors
  bool bias = true;
  bool logit_bias = false;
  GraphNormConfig norm;
  Activation activation = Activation::kNone;
  bool activation_first = false;

  int64_t out() const { return concat ? heads * out_channels : out_channels; }
};

struct LinearConfig {
  std::string name;
  Activation activation = Activation::kNone;
};

struct GraphConfig {
  std::string path;  // of the file, for messages
  GraphConvolution convolution = GraphConvolution::kGat;
  std::string model_type;
  GraphTaskKind task = GraphTaskKind::kNode;
  int64_t in_channels = 0;
  int64_t edge_dim = 0;
  std::vector<GraphLayerConfig> layers;
  EdgeDecoder decoder = EdgeDecoder::kDot;
  std::vector<LinearConfig> decoder_layers;
  Pooling pooling = Pooling::kMean;
  std::vector<LinearConfig> gate, transform;
  std::vector<LinearConfig> mlp;
  bool sigmoid = false;
  std::vector<std::string> labels;  // empty: the class indices

  // Some layer's answer about a node depends on every node of the graph.
  bool NeedsWholeGraph() const;
};

// INVALID_ARGUMENT names the file and the field and its value; NOT_FOUND there is no such file.
absl::StatusOr<GraphConfig> ReadGraphConfig(const std::string& path);

}  // namespace heed
