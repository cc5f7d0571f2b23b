#include "models/graph/graph_layer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/kernels/kernels.h"

namespace heed {
namespace {

// Dense feature rows are gathered for the product this many at a time: whole tiles, within the caches.
constexpr int64_t kGatheredRows = 10 * kTileRows;

// Columns of a projection up to which our own kernel is taken: Cora's forward pass, whose second layer has 10, takes
// 0.98 ms instead of 1.13 ms.
constexpr int64_t kNarrow = 32;

// Rows of one wide linear layer, in the order of ProjectionLayout's columns.
class ProjectionRows {
 public:
  explicit ProjectionRows(int64_t in) : in_(in) {}

  void Add(const float* weights, float bias) {
    weights_.insert(weights_.end(), weights, weights + in_);
    bias_.push_back(bias);
  }
  void AddZeros(int64_t rows) {
    weights_.resize(weights_.size() + static_cast<size_t>(rows * in_));
    bias_.resize(bias_.size() + static_cast<size_t>(rows));
  }
  // Heads of `layout.channels` rows each, every one padded to layout.head_stride().
  void AddHeads(const ProjectionLayout& layout, const std::vector<float>& weights, const std::vector<float>& bias) {
    for (int64_t h = 0; h < layout.heads; ++h) {
      for (int64_t c = 0; c < layout.channels; ++c) {
        const int64_t row = h * layout.channels + c;
        Add(weights.data() + row * in_, bias.empty() ? 0 : bias[static_cast<size_t>(row)]);
      }
      AddZeros(layout.head_stride() - layout.channels);
    }
  }
  // A score for each head: its attention vector times its rows. Being linear in the input, scores are outputs of the
  // same layer as the values.
  void AddScores(const ProjectionLayout& layout, const std::vector<float>& weights, const std::vector<float>& attention,
                 const std::vector<float>& bias) {
    std::vector<double> sum(static_cast<size_t>(in_));
    std::vector<float> row(static_cast<size_t>(in_));
    for (int64_t h = 0; h < layout.heads; ++h) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int64_t c = h * layout.channels; c < (h + 1) * layout.channels; ++c) {
        const double factor = attention[static_cast<size_t>(c)];
        for (int64_t k = 0; k < in_; ++k) {
          sum[static_cast<size_t>(k)] += factor * static_cast<double>(weights[static_cast<size_t>(c * in_ + k)]);
        }
      }
      std::transform(sum.begin(), sum.end(), row.begin(), [](double value) { return static_cast<float>(value); });
      Add(row.data(), bias.empty() ? 0 : bias[static_cast<size_t>(h)]);
    }
    AddZeros(layout.score_stride() - layout.heads);
  }
  Linear Make(GemmBackend backend) const { return MakeLinear(weights_, bias_, Activation::kNone, backend); }

 private:
  const int64_t in_;
  std::vector<float> weights_, bias_;
};

// The first of `names` that is there, or the first.
std::string Present(const WeightReader& tensors, const std::string& scope, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (tensors.Has(absl::StrCat(scope, ".", name))) return absl::StrCat(scope, ".", name);
  }
  return absl::StrCat(scope, ".", *names.begin());
}

}  // namespace

absl::StatusOr<GraphLayer> GraphLayer::Load(const GraphConfig& config, const GraphLayerConfig& layer, int64_t in,
                                            bool reads_features, const WeightReader& tensors) {
  GraphLayer made;
  made.config_ = layer;
  made.edge_dim_ = config.edge_dim;
  ProjectionLayout& layout = made.layout_;
  // A linear layer's table is a GCN's: the values and, if there is one, the residual.
  layout.kind = layer.linear ? GraphConvolution::kGcn : config.convolution;
  layout.heads = layer.heads;
  layout.channels = layer.out_channels;
  layout.concat = layer.concat;
  layout.residual = layer.residual != GraphLayerConfig::Residual::kNone;
  const int64_t heads = layer.heads, channels = layer.out_channels, wide = heads * channels;
  const std::string& scope = layer.name;

  ProjectionRows rows(in);
  switch (layout.kind) {
    case GraphConvolution::kGat: {
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
        made.edge_map_.resize(static_cast<size_t>(config.edge_dim * layout.score_stride()));
        for (int64_t k = 0; k < config.edge_dim; ++k) {
          for (int64_t h = 0; h < heads; ++h) {
            double sum = 0;
            for (int64_t c = h * channels; c < (h + 1) * channels; ++c) {
              sum += static_cast<double>(lin_edge[static_cast<size_t>(c * config.edge_dim + k)]) *
                     static_cast<double>(att_edge[static_cast<size_t>(c)]);
            }
            made.edge_map_[static_cast<size_t>(k * layout.score_stride() + h)] = static_cast<float>(sum);
          }
        }
      }
      break;
    }
    case GraphConvolution::kGatv2: {
      const std::string source = absl::StrCat(scope, ".lin_l"), own = absl::StrCat(scope, ".lin_r");
      HEED_ASSIGN_OR_RETURN(const std::vector<float> weight_l, tensors.Read(source + ".weight", {wide, in}));
      HEED_ASSIGN_OR_RETURN(const std::vector<float> bias_l, tensors.ReadOrZeros(source + ".bias", {wide}));
      std::vector<float> weight_r = weight_l, bias_r = bias_l;
      // A checkpoint of shared weights may name them twice.
      if (!layer.share_weights || tensors.Has(own + ".weight")) {
        HEED_ASSIGN_OR_RETURN(weight_r, tensors.Read(own + ".weight", {wide, in}));
        HEED_ASSIGN_OR_RETURN(bias_r, tensors.ReadOrZeros(own + ".bias", {wide}));
      }
      HEED_ASSIGN_OR_RETURN(const std::vector<float> att,
                            tensors.Read(absl::StrCat(scope, ".att"), {1, heads, channels}));
      rows.AddHeads(layout, weight_l, bias_l);
      rows.AddHeads(layout, weight_r, bias_r);
      const int64_t stride = layout.head_stride(), width = layout.values_width();
      made.attention_.resize(static_cast<size_t>(width));
      for (int64_t c = 0; c < wide; ++c) {
        made.attention_[static_cast<size_t>(c / channels * stride + c % channels)] = att[static_cast<size_t>(c)];
      }
      if (config.edge_dim > 0) {
        HEED_ASSIGN_OR_RETURN(const std::vector<float> lin_edge,
                              tensors.Read(absl::StrCat(scope, ".lin_edge.weight"), {wide, config.edge_dim}));
        made.edge_map_.resize(static_cast<size_t>(config.edge_dim * width));
        for (int64_t k = 0; k < config.edge_dim; ++k) {
          for (int64_t c = 0; c < wide; ++c) {
            made.edge_map_[static_cast<size_t>(k * width + c / channels * stride + c % channels)] =
                lin_edge[static_cast<size_t>(c * config.edge_dim + k)];
          }
        }
      }
      break;
    }
    case GraphConvolution::kGcn: {
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
      break;
    }
  }

  const int64_t out = layout.out();
  if (layer.residual == GraphLayerConfig::Residual::kIdentity) {
    if (in != out) {
      return absl::InvalidArgumentError(absl::StrCat(config.path, ": layer ", scope, ": residual is \"identity\", but ",
                                                     in, " inputs meet ", out, " outputs"));
    }
    for (int64_t c = 0; c < out; ++c) {
      std::vector<float> unit(static_cast<size_t>(in));
      unit[static_cast<size_t>(c)] = 1;
      rows.Add(unit.data(), 0);
    }
  } else if (layout.residual) {
    HEED_ASSIGN_OR_RETURN(const std::vector<float> weight,
                          tensors.Read(absl::StrCat(layer.residual_name, ".weight"), {out, in}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> bias,
                          tensors.ReadOrZeros(absl::StrCat(layer.residual_name, ".bias"), {out}));
    for (int64_t c = 0; c < out; ++c) rows.Add(weight.data() + c * in, bias[static_cast<size_t>(c)]);
  }
  // Feature rows may be sparse, which is for kTiled alone; for few columns a tile's overhead would be most of its time.
  const bool narrow = !reads_features && layout.width() <= kNarrow;
  made.projection_ = rows.Make(narrow ? GemmBackend::kPacked : GemmBackend::kTiled);
  if (layer.bias) {
    HEED_ASSIGN_OR_RETURN(made.bias_, tensors.Read(absl::StrCat(scope, ".bias"), {out}));
  }
  HEED_ASSIGN_OR_RETURN(made.finish_, RowFinish::Load(layer.norm, layer.activation, layer.activation_first, out,
                                                      config.task == GraphTaskKind::kGraph, tensors));
  return made;
}

int64_t GraphLayer::resident_bytes() const {
  const size_t others = edge_map_.size() + attention_.size() + bias_.size();
  return projection_.resident_bytes() + finish_.resident_bytes() + static_cast<int64_t>(others * sizeof(float));
}

void GraphLayer::Project(ConstMatrixView rows, MatrixView table, Context& context) const {
  projection_.Apply(rows, table, context);
}

void GraphLayer::Project(absl::Span<const FeatureRow> rows, MatrixView table, Context& context) const {
  std::vector<int64_t> dense;
  int64_t values = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].columns == nullptr && in() > 0) dense.push_back(static_cast<int64_t>(i));
    values += rows[i].count;
  }
  const int64_t count = static_cast<int64_t>(rows.size());
  if (static_cast<int64_t>(dense.size()) < count) {
    RunRows(context.team, count, values / std::max<int64_t>(1, count) * table_width(),
            [&](int64_t first, int64_t last) {
              for (int64_t i = first; i < last; ++i) {
                const FeatureRow& row = rows[static_cast<size_t>(i)];
                if (row.columns != nullptr)
                  projection_.ApplyToSparseRow(row.values, row.columns, row.count, table.row(i));
              }
            });
  }
  for (size_t first = 0; first < dense.size(); first += kGatheredRows) {
    Arena::Scope scope(context.arena);
    const int64_t gathered = std::min<int64_t>(kGatheredRows, static_cast<int64_t>(dense.size() - first));
    const MatrixView from = TakeMatrix(context.arena, gathered, in());
    const MatrixView to = TakeMatrix(context.arena, gathered, table_width());
    for (int64_t i = 0; i < gathered; ++i) {
      const FeatureRow& row = rows[static_cast<size_t>(dense[first + static_cast<size_t>(i)])];
      std::copy(row.values, row.values + in(), from.row(i));
    }
    projection_.Apply(from, to, context);
    for (int64_t i = 0; i < gathered; ++i) {
      std::copy(to.row(i), to.row(i) + table_width(), table.row(dense[first + static_cast<size_t>(i)]));
    }
  }
}

void GraphLayer::Normalize(const Neighborhood& nodes, std::vector<float>& norm, std::vector<float>& loop_weight) const {
  if (layout_.kind != GraphConvolution::kGcn || linear()) return;
  const size_t count = static_cast<size_t>(nodes.nodes());
  // PyTorch Geometric's `improved` has no effect where edges could have weights and have none.
  const bool improved = config_.improved && (edge_dim_ == 0 || nodes.edge_weights);
  norm.assign(count, 1.0f);
  loop_weight.assign(count, 0.0f);
  for (size_t i = 0; i < count; ++i) {
    // Without added loops those of the graph are edges like others.
    float loop = nodes.loop_weights[i];
    if (config_.add_self_loops && config_.normalize) {
      const float last = nodes.last_loop_weights[i];
      loop = !std::isnan(last) ? last : improved ? 2.0f : 1.0f;
      loop_weight[i] = loop;
    }
    if (!config_.normalize) continue;
    const float degree = nodes.in_weights[i] + loop;
    norm[i] = degree == 0 ? 0.0f : 1.0f / std::sqrt(degree);
  }
}

GraphAggregation GraphLayer::Pass(const Neighborhood& nodes, const std::vector<float>& norm,
                                  const std::vector<float>& loop_weight, ConstMatrixView table,
                                  MatrixView targets) const {
  GraphAggregation pass;
  pass.layout = layout_;
  pass.negative_slope = config_.negative_slope;
  // GCNConv adds loops as a part of the normalization.
  pass.add_self_loops = config_.add_self_loops && (layout_.kind != GraphConvolution::kGcn || config_.normalize);
  pass.offsets = nodes.offsets.data();
  pass.sources = nodes.sources.data();
  pass.has_loops = nodes.has_loops;
  pass.edge_features = nodes.edge_features.data();
  pass.edge_width = edge_dim_;
  pass.fill = config_.fill;
  pass.fill_constant = config_.fill_constant;
  pass.table = table;
  pass.edge_map = edge_map_.data();
  pass.attention = attention_.data();
  pass.norm = norm.data();
  pass.loop_weight = loop_weight.data();
  pass.edge_weights = nodes.edge_weights;
  pass.bias = bias_.empty() ? nullptr : bias_.data();
  pass.out = targets;
  return pass;
}

void GraphLayer::TakeRows(ConstMatrixView table, MatrixView out, int64_t first, int64_t last, Context& context) const {
  const int64_t width = layout_.out(), residual = layout_.residual_column();
  RunRows(context.team, last - first, width, [&](int64_t begin, int64_t end) {
    for (int64_t i = first + begin; i < first + end; ++i) {
      const float* from = table.row(i);
      float* to = out.row(i);
      std::copy(from, from + width, to);
      if (layout_.residual) {
        for (int64_t c = 0; c < width; ++c) to[c] += from[residual + c];
      }
      if (!bias_.empty()) {
        for (int64_t c = 0; c < width; ++c) to[c] += bias_[static_cast<size_t>(c)];
      }
      FinishRow(to);
    }
  });
}

}  // namespace heed
