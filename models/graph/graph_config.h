// SPDX-License-Identifier: Apache-2.0
// The config.json of a graph model, read and checked. docs/graph-config.md is its page: fields, values, defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/graph/graph_aggregation.h"
#include "engine/kernels/kernels.h"

namespace heed {

enum class GraphTaskKind { kNode, kEdge, kGraph };
// Layer norms over a node's channels or over the whole graph; PyTorch Geometric's others by its names. L2: a row
// divided by its length.
enum class NormKind { kNone, kLayerNode, kLayerGraph, kBatch, kL2, kPair, kInstance, kGraph, kMeanSubtraction };
enum class JumpingKnowledge { kNone, kMax, kCat };
enum class GraphPooling { kMean, kMax, kSum, kAttention };
enum class EdgeDecoder { kDot, kConcat, kProduct };

struct GraphNormConfig {
  NormKind kind = NormKind::kNone;
  std::string name;  // of its tensors
  float epsilon = 1e-5f;
  float scale = 1;                  // kPair
  bool scale_individually = false;  // kPair

  bool over_graph() const {
    return kind == NormKind::kLayerGraph || kind == NormKind::kPair || kind == NormKind::kInstance ||
           kind == NormKind::kGraph || kind == NormKind::kMeanSubtraction;
  }
  bool has_weights() const {
    return kind != NormKind::kNone && kind != NormKind::kL2 && kind != NormKind::kPair &&
           kind != NormKind::kMeanSubtraction;
  }
};

// An activation of the engine, or one that only graph networks have.
struct RowActivation {
  Activation standard = Activation::kNone;
  enum class Other { kNone, kLeakyRelu, kSelu, kSoftplus } other = Other::kNone;
  float slope = 0.01f;  // kLeakyRelu
};

struct GraphLayerConfig {
  std::string name;
  bool linear = false;  // a linear layer of each node's own row; else a convolution
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
  RowActivation activation;
  bool activation_first = false;

  int64_t out() const { return concat ? heads * out_channels : out_channels; }
};

struct LinearConfig {
  std::string name;
  GraphNormConfig norm;  // never over the graph
  RowActivation activation;
  bool activation_first = false;
};

struct ReadoutConfig {
  GraphPooling pooling = GraphPooling::kMean;
  std::vector<LinearConfig> gate, transform;  // kAttention
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
  JumpingKnowledge jumping_knowledge = JumpingKnowledge::kNone;  // over the outputs of all convolutions
  std::vector<ReadoutConfig> readouts;                           // graph task: at least one, side by side
  std::vector<LinearConfig> mlp;
  bool sigmoid = false;
  std::vector<std::string> labels;  // empty: the class indices

  // Some layer's answer about a node depends on every node of the graph.
  bool NeedsWholeGraph() const;
};

// INVALID_ARGUMENT names the file and the field and its value; NOT_FOUND there is no such file.
absl::StatusOr<GraphConfig> ReadGraphConfig(const std::string& path);

}  // namespace heed
