// SPDX-License-Identifier: Apache-2.0
#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/graph/convolution.h"

namespace heed {
namespace {

// The first of `names` that is there, or the first.
std::string Present(const WeightReader& tensors, const std::string& scope, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (tensors.Has(absl::StrCat(scope, ".", name))) return absl::StrCat(scope, ".", name);
  }
  return absl::StrCat(scope, ".", *names.begin());
}

// The map of edge features to scores, [edge_dim, score_stride]: att_edge . (lin_edge x), which is linear in x.
std::vector<float> EdgeScores(const ProjectionLayout& layout, int64_t edge_dim, const std::vector<float>& lin_edge,
                              const std::vector<float>& att_edge) {
  std::vector<float> map(static_cast<size_t>(edge_dim * layout.score_stride()));
  for (int64_t k = 0; k < edge_dim; ++k) {
    for (int64_t h = 0; h < layout.heads; ++h) {
      double sum = 0;
      for (int64_t c = h * layout.channels; c < (h + 1) * layout.channels; ++c) {
        sum += static_cast<double>(lin_edge[static_cast<size_t>(c * edge_dim + k)]) *
               static_cast<double>(att_edge[static_cast<size_t>(c)]);
      }
      map[static_cast<size_t>(k * layout.score_stride() + h)] = static_cast<float>(sum);
    }
  }
  return map;
}

}  // namespace

absl::StatusOr<ConvolutionWeights> LoadGat(const GraphConfig& config, const GraphLayerConfig& layer,
                                           const ProjectionLayout& layout, const WeightReader& tensors,
                                           ProjectionRows& rows) {
  const int64_t heads = layout.heads, channels = layout.channels, wide = heads * channels, in = rows.in();
  const std::string& scope = layer.name;
  ConvolutionWeights made;
  const std::string source = Present(tensors, scope, {"lin.weight", "lin_src.weight", "lin_l.weight"});
  HEED_ASSIGN_OR_RETURN(const std::vector<float> weight, tensors.Read(source, {wide, in}));
  std::vector<float> target_weight = weight;
  const std::string target = Present(tensors, scope, {"lin_dst.weight", "lin_r.weight"});
  if (tensors.Has(target)) {
    HEED_ASSIGN_OR_RETURN(target_weight, tensors.Read(target, {wide, in}));
  }
  const std::vector<int64_t> shape = {1, heads, channels};
  HEED_ASSIGN_OR_RETURN(const std::vector<float> att_src,
                        tensors.Read(Present(tensors, scope, {"att_src", "att_l"}), shape));
  HEED_ASSIGN_OR_RETURN(const std::vector<float> att_dst,
                        tensors.Read(Present(tensors, scope, {"att_dst", "att_r"}), shape));
  std::vector<float> logit_bias;
  if (layer.logit_bias) {
    HEED_ASSIGN_OR_RETURN(logit_bias, tensors.Read(absl::StrCat(scope, ".logit_bias"), {1, heads}));
  }
  rows.AddHeads(layout, weight, {});
  rows.AddScores(layout, weight, att_src, {});
  rows.AddScores(layout, target_weight, att_dst, logit_bias);
  if (config.edge_dim > 0) {
    HEED_ASSIGN_OR_RETURN(const std::vector<float> lin_edge,
                          tensors.Read(absl::StrCat(scope, ".lin_edge.weight"), {wide, config.edge_dim}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> att_edge, tensors.Read(absl::StrCat(scope, ".att_edge"), shape));
    made.edge_map = EdgeScores(layout, config.edge_dim, lin_edge, att_edge);
  }
  return made;
}

}  // namespace heed
