// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/graph/convolution.h"

namespace heed {

absl::StatusOr<ConvolutionWeights> LoadGcn(const GraphConfig&, const GraphLayerConfig& layer,
                                           const ProjectionLayout& layout, const WeightReader& tensors,
                                           ProjectionRows& rows) {
  const int64_t channels = layout.channels, in = rows.in();
  const std::string& scope = layer.name;
  std::vector<float> weight;
  if (layer.linear) {
    HEED_ASSIGN_OR_RETURN(weight, tensors.Read(absl::StrCat(scope, ".weight"), {channels, in}));
  } else if (tensors.Has(absl::StrCat(scope, ".weight"))) {  // [in, out], of the older versions
    HEED_ASSIGN_OR_RETURN(const std::vector<float> transposed,
                          tensors.Read(absl::StrCat(scope, ".weight"), {in, channels}));
    weight.resize(transposed.size());
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t k = 0; k < in; ++k) {
        weight[static_cast<size_t>(c * in + k)] = transposed[static_cast<size_t>(k * channels + c)];
      }
    }
  } else {
    HEED_ASSIGN_OR_RETURN(weight, tensors.Read(absl::StrCat(scope, ".lin.weight"), {channels, in}));
  }
  rows.AddHeads(layout, weight, {});
  return ConvolutionWeights();
}

void NormalizeGcn(const GraphLayerConfig& layer, bool has_edge_weights, const Neighborhood& nodes,
                  std::vector<float>& norm, std::vector<float>& loop_weight) {
  const size_t count = static_cast<size_t>(nodes.nodes());
  // PyTorch Geometric's `improved` has no effect where edges could have weights and have none.
  const bool improved = layer.improved && (!has_edge_weights || nodes.edge_weights);
  norm.assign(count, 1.0f);
  loop_weight.assign(count, 0.0f);
  for (size_t i = 0; i < count; ++i) {
    // Without added loops those of the graph are edges like others.
    float loop = nodes.loop_weights[i];
    if (layer.add_self_loops && layer.normalize) {
      const float last = nodes.last_loop_weights[i];
      loop = !std::isnan(last) ? last : improved ? 2.0f : 1.0f;
      loop_weight[i] = loop;
    }
    if (!layer.normalize) continue;
    const float degree = nodes.in_weights[i] + loop;
    norm[i] = degree == 0 ? 0.0f : 1.0f / std::sqrt(degree);
  }
}

}  // namespace heed
