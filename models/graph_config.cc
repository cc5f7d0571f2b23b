#include "models/graph_config.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/status_macros.h"
#include "models/json_fields.h"

namespace heed {
namespace {

constexpr int64_t kMostWidth = 1 << 20;
constexpr int64_t kMostHeads = 1 << 10;
constexpr int64_t kMostEdgeWidth = 1 << 12;
constexpr size_t kMostLayers = 1 << 10;
constexpr double kLargest = 1e6;

constexpr Choice<GraphConvolution> kConvolutions[] = {
    {"gat", GraphConvolution::kGat}, {"gatv2", GraphConvolution::kGatv2}, {"gcn", GraphConvolution::kGcn}};
constexpr Choice<GraphTaskKind> kTasks[] = {
    {"node", GraphTaskKind::kNode}, {"edge", GraphTaskKind::kEdge}, {"graph", GraphTaskKind::kGraph}};
constexpr Choice<Activation> kActivations[] = {{"none", Activation::kNone},
                                               {"elu", Activation::kElu},
                                               {"relu", Activation::kRelu},
                                               {"gelu", Activation::kGelu},
                                               {"swish", Activation::kSwish}};
constexpr Choice<LoopFill> kFills[] = {{"mean", LoopFill::kMean},
                                       {"add", LoopFill::kAdd},
                                       {"min", LoopFill::kMin},
                                       {"max", LoopFill::kMax},
                                       {"mul", LoopFill::kMul}};
constexpr Choice<Pooling> kPoolings[] = {
    {"mean", Pooling::kMean}, {"max", Pooling::kMax}, {"sum", Pooling::kSum}, {"attention", Pooling::kAttention}};
constexpr Choice<NormMode> kNormModes[] = {{"node", NormMode::kNode}, {"graph", NormMode::kGraph}};
constexpr Choice<bool> kOutputs[] = {{"softmax", false}, {"sigmoid", true}};
constexpr Choice<EdgeDecoder> kCombinations[] = {{"concat", EdgeDecoder::kConcat}, {"product", EdgeDecoder::kProduct}};

GraphNormConfig ReadNorm(JsonFields fields, absl::Status& status) {
  GraphNormConfig norm;
  fields.Only({"name", "type", "mode", "eps"});
  norm.mode = fields.OneOf("mode", kNormModes, "graph");
  norm.name = fields.String("name", "");
  if (norm.name.empty()) fields.Missing("name");
  if (fields.String("type", "layer") != "layer") fields.Wrong("type", "but served is \"layer\"");
  norm.epsilon = static_cast<float>(fields.Number("eps", 1e-5, 0, 1));
  if (status.ok()) status = fields.status();
  return norm;
}

GraphLayerConfig ReadLayer(JsonFields fields, size_t index, const GraphConfig& config, absl::Status& status) {
  GraphLayerConfig layer;
  fields.Only({"name", "out_channels", "heads", "concat", "negative_slope", "add_self_loops", "fill_value", "improved",
               "normalize", "share_weights", "residual", "bias", "logit_bias", "norm", "activation",
               "activation_first"});
  const bool gcn = config.convolution == GraphConvolution::kGcn;
  layer.name = fields.String("name", absl::StrCat("convs.", index));
  layer.out_channels = fields.RequiredInt("out_channels", 1, kMostWidth);
  layer.heads = fields.Int("heads", 1, 1, gcn ? 1 : kMostHeads);
  layer.concat = fields.Bool("concat", true);
  if (layer.heads * layer.out_channels > kMostWidth) {
    fields.Wrong("heads", absl::StrCat("which makes heads of ", layer.out_channels, " wider than ", kMostWidth));
  }
  layer.negative_slope = static_cast<float>(fields.Number("negative_slope", 0.2, -kLargest, kLargest));
  layer.add_self_loops = fields.Bool("add_self_loops", true);
  if (fields.Value("fill_value").is_number()) {
    layer.fill = LoopFill::kConstant;
    layer.fill_constant = static_cast<float>(fields.Number("fill_value", 0, -kLargest, kLargest));
  } else {
    layer.fill = fields.OneOf("fill_value", kFills, "mean");
  }
  layer.improved = fields.Bool("improved", false);
  layer.normalize = fields.Bool("normalize", true);
  layer.share_weights = fields.Bool("share_weights", false);
  if (fields.Value("residual").is_string()) {
    layer.residual_name = fields.String("residual", "");
    layer.residual =
        layer.residual_name == "identity" ? GraphLayerConfig::Residual::kIdentity : GraphLayerConfig::Residual::kLinear;
  } else if (fields.Bool("residual", false)) {
    layer.residual = GraphLayerConfig::Residual::kLinear;
    layer.residual_name = absl::StrCat(layer.name, ".res");
  }
  layer.bias = fields.Bool("bias", true);
  layer.logit_bias = fields.Bool("logit_bias", false);
  if (layer.logit_bias && config.convolution != GraphConvolution::kGat) {
    fields.Wrong("logit_bias", "which only gat has");
  }
  if (fields.Has("norm")) {
    if (fields.Value("norm").is_object()) {
      layer.norm = ReadNorm(fields.Inner("norm"), status);
    } else {
      fields.Wrong("norm", "which is not an object");
    }
  }
  layer.activation = fields.OneOf("activation", kActivations, "none");
  layer.activation_first = fields.Bool("activation_first", false);
  if (status.ok()) status = fields.status();
  return layer;
}

// The objects of a list; empty if the field is not there.
std::vector<JsonFields> List(JsonFields& fields, absl::string_view name) {
  std::vector<JsonFields> items;
  const nlohmann::json& value = fields.Value(name);
  if (value.is_null()) return items;
  if (!value.is_array() || value.size() > kMostLayers) {
    fields.Wrong(name, absl::StrCat("which is not a list of at most ", kMostLayers, " objects"));
    return items;
  }
  for (size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_object()) {
      fields.Wrong(name, absl::StrCat("whose item ", i, " is not an object"));
      return items;
    }
    items.push_back(fields.Inner(name, i));
  }
  return items;
}

std::vector<LinearConfig> ReadMlp(JsonFields& fields, absl::string_view name, absl::Status& status) {
  std::vector<LinearConfig> layers;
  for (JsonFields& item : List(fields, name)) {
    item.Only({"name", "activation"});
    LinearConfig layer;
    layer.name = item.String("name", "");
    if (layer.name.empty()) item.Missing("name");
    layer.activation = item.OneOf("activation", kActivations, "none");
    if (status.ok()) status = item.status();
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace

bool GraphConfig::NeedsWholeGraph() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const GraphLayerConfig& layer) { return layer.norm.mode == NormMode::kGraph; });
}

absl::StatusOr<GraphConfig> ReadGraphConfig(const std::string& path) {
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(path));
  absl::Status status;
  GraphConfig config;
  config.path = path;
  config.convolution = fields.OneOf("model_type", kConvolutions, "");
  config.model_type = fields.String("model_type", "");
  config.task = fields.OneOf("task", kTasks, "");
  config.in_channels = fields.RequiredInt("in_channels", 1, kMostWidth);
  const bool gcn = config.convolution == GraphConvolution::kGcn;
  config.edge_dim = fields.Int("edge_dim", 0, 0, gcn ? 1 : kMostEdgeWidth);
  for (JsonFields& layer : List(fields, "layers")) {
    config.layers.push_back(ReadLayer(std::move(layer), config.layers.size(), config, status));
  }
  if (fields.status().ok() && config.layers.empty()) fields.Missing("layers");

  if (fields.Has("decoder")) {
    if (config.task != GraphTaskKind::kEdge) fields.Wrong("decoder", "but the task is not edge");
    if (fields.Value("decoder").is_object()) {
      JsonFields decoder = fields.Inner("decoder");
      decoder.Only({"type", "combine", "layers"});
      const std::string type = decoder.String("type", "");
      if (type == "mlp") {
        config.decoder = decoder.OneOf("combine", kCombinations, "concat");
        config.decoder_layers = ReadMlp(decoder, "layers", status);
        if (config.decoder_layers.empty()) decoder.Missing("layers");
      } else if (type != "dot") {
        decoder.Wrong("type", "which is none of dot, mlp");
      }
      if (status.ok()) status = decoder.status();
    } else {
      fields.Wrong("decoder", "which is not an object");
    }
  }
  if (fields.Has("readout")) {
    if (config.task != GraphTaskKind::kGraph) fields.Wrong("readout", "but the task is not graph");
    if (fields.Value("readout").is_object()) {
      JsonFields readout = fields.Inner("readout");
      readout.Only({"pooling", "gate", "transform"});
      config.pooling = readout.OneOf("pooling", kPoolings, "mean");
      config.gate = ReadMlp(readout, "gate", status);
      config.transform = ReadMlp(readout, "transform", status);
      const bool attention = config.pooling == Pooling::kAttention;
      if (attention && config.gate.empty()) readout.Missing("gate");
      if (!attention && readout.Has("gate")) readout.Wrong("gate", "but the pooling is not attention");
      if (!attention && readout.Has("transform")) readout.Wrong("transform", "but the pooling is not attention");
      if (status.ok()) status = readout.status();
    } else {
      fields.Wrong("readout", "which is not an object");
    }
  }
  config.mlp = ReadMlp(fields, "mlp", status);
  if (config.task == GraphTaskKind::kEdge && !config.mlp.empty()) {
    fields.Wrong("mlp", "but the task is edge: its layers stand in decoder");
  }
  const bool dot = config.task == GraphTaskKind::kEdge && config.decoder == EdgeDecoder::kDot;
  config.sigmoid = fields.OneOf("output", kOutputs, dot ? "sigmoid" : "softmax");
  if (dot && !config.sigmoid) fields.Wrong("output", "but an inner product is one number: it needs sigmoid");
  if (const nlohmann::json& labels = fields.Value("labels"); labels.is_array()) {
    for (const nlohmann::json& label : labels) {
      if (!label.is_string()) {
        fields.Wrong("labels", "which holds something else than strings");
        break;
      }
      config.labels.push_back(label.get<std::string>());
    }
  } else if (!labels.is_null()) {
    fields.Wrong("labels", "which is not a list");
  }
  HEED_RETURN_IF_ERROR(fields.status());
  HEED_RETURN_IF_ERROR(status);
  return config;
}

}  // namespace heed
