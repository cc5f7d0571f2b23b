// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/graph/convolution.h"

namespace heed {

absl::StatusOr<ConvolutionWeights> LoadGatv2(const GraphConfig& config, const GraphLayerConfig& layer,
                                             const ProjectionLayout& layout, const WeightReader& tensors,
                                             ProjectionRows& rows) {
  const int64_t heads = layout.heads, channels = layout.channels, wide = heads * channels, in = rows.in();
  const std::string& scope = layer.name;
  ConvolutionWeights made;
  const std::string source = absl::StrCat(scope, ".lin_l"), own = absl::StrCat(scope, ".lin_r");
  HEED_ASSIGN_OR_RETURN(const std::vector<float> weight_l, tensors.Read(source + ".weight", {wide, in}));
  HEED_ASSIGN_OR_RETURN(const std::vector<float> bias_l, tensors.ReadOrZeros(source + ".bias", {wide}));
  std::vector<float> weight_r = weight_l, bias_r = bias_l;
  // A checkpoint of shared weights may name them twice.
  if (!layer.share_weights || tensors.Has(own + ".weight")) {
    HEED_ASSIGN_OR_RETURN(weight_r, tensors.Read(own + ".weight", {wide, in}));
    HEED_ASSIGN_OR_RETURN(bias_r, tensors.ReadOrZeros(own + ".bias", {wide}));
  }
  HEED_ASSIGN_OR_RETURN(const std::vector<float> att, tensors.Read(absl::StrCat(scope, ".att"), {1, heads, channels}));
  rows.AddHeads(layout, weight_l, bias_l);
  rows.AddHeads(layout, weight_r, bias_r);
  const int64_t stride = layout.head_stride(), width = layout.values_width();
  made.attention.resize(static_cast<size_t>(width));
  for (int64_t c = 0; c < wide; ++c) {
    made.attention[static_cast<size_t>(c / channels * stride + c % channels)] = att[static_cast<size_t>(c)];
  }
  if (config.edge_dim > 0) {
    HEED_ASSIGN_OR_RETURN(const std::vector<float> lin_edge,
                          tensors.Read(absl::StrCat(scope, ".lin_edge.weight"), {wide, config.edge_dim}));
    made.edge_map.resize(static_cast<size_t>(config.edge_dim * width));
    for (int64_t k = 0; k < config.edge_dim; ++k) {
      for (int64_t c = 0; c < wide; ++c) {
        made.edge_map[static_cast<size_t>(k * width + c / channels * stride + c % channels)] =
            lin_edge[static_cast<size_t>(c * config.edge_dim + k)];
      }
    }
  }
  return made;
}

}  // namespace heed
