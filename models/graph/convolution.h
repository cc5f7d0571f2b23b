// SPDX-License-Identifier: Apache-2.0
// The graph convolutions: what each reads from a checkpoint, and how it weighs its edges. Siblings; the pass over the
// edges is engine/graph/graph_aggregation.h.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "engine/graph/graph_aggregation.h"
#include "engine/graph/neighborhood.h"
#include "models/graph/graph_config.h"
#include "models/graph/projection_rows.h"
#include "models/layers/weight_reader.h"

namespace heed {

// Beside the projection.
struct ConvolutionWeights {
  std::vector<float> edge_map;   // of edge features, see GraphAggregation
  std::vector<float> attention;  // GATv2, [values_width]
};

// What they have in common. Reads the tensors below `layer.name`, with the names of PyTorch Geometric, and adds the
// rows of the projection but for the residual's.
using LoadConvolution = absl::StatusOr<ConvolutionWeights>(const GraphConfig& config, const GraphLayerConfig& layer,
                                                           const ProjectionLayout& layout, const WeightReader& tensors,
                                                           ProjectionRows& rows);
// GATConv (Velickovic et al. 2018): gat.cc.
LoadConvolution LoadGat;
// GATv2Conv (Brody et al. 2022): gatv2.cc.
LoadConvolution LoadGatv2;
// GCNConv (Kipf and Welling 2017), and a linear layer, whose table is the same: gcn.cc.
LoadConvolution LoadGcn;

// GCN's normalization: 1 / sqrt(degree) of each node, and the weights of the loops that the layer adds.
void NormalizeGcn(const GraphLayerConfig& layer, bool has_edge_weights, const Neighborhood& nodes,
                  std::vector<float>& norm, std::vector<float>& loop_weight);

}  // namespace heed
