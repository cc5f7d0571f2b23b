// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_config.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_fields.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxHeads = 1 << 10;
constexpr int64_t kMaxEdgeWidth = 1 << 12;
constexpr size_t kMaxLayers = 1 << 10;
constexpr double kLargest = 1e6;

constexpr Choice<GraphConvolution> kConvolutions[] = {
    {"gat", GraphConvolution::kGat}, {"gatv2", GraphConvolution::kGatv2}, {"gcn", GraphConvolution::kGcn}};
constexpr Choice<GraphTaskKind> kTasks[] = {
    {"node", GraphTaskKind::kNode}, {"edge", GraphTaskKind::kEdge}, {"graph", GraphTaskKind::kGraph}};
using Other = RowActivation::Other;
constexpr Choice<RowActivation> kActivations[] = {{"none", {}},
                                                  {"elu", {Activation::kElu}},
                                                  {"relu", {Activation::kRelu}},
                                                  {"gelu", {Activation::kGelu}},
                                                  {"swish", {Activation::kSwish}},
                                                  {"leaky_relu", {Activation::kNone, Other::kLeakyRelu}},
                                                  {"tanh", {Activation::kTanh}},
                                                  {"sigmoid", {Activation::kSigmoid}},
                                                  {"selu", {Activation::kNone, Other::kSelu}},
                                                  {"softplus", {Activation::kNone, Other::kSoftplus}}};
constexpr Choice<LoopFill> kFills[] = {{"mean", LoopFill::kMean},
                                       {"add", LoopFill::kAdd},
                                       {"min", LoopFill::kMin},
                                       {"max", LoopFill::kMax},
                                       {"mul", LoopFill::kMul}};
constexpr Choice<GraphPooling> kPoolings[] = {{"mean", GraphPooling::kMean},
                                              {"max", GraphPooling::kMax},
                                              {"sum", GraphPooling::kSum},
                                              {"attention", GraphPooling::kAttention}};
// "layer" is one of two, by its mode.
constexpr Choice<NormKind> kNormTypes[] = {{"layer", NormKind::kLayerGraph},
                                           {"batch", NormKind::kBatch},
                                           {"l2", NormKind::kL2},
                                           {"pair", NormKind::kPair},
                                           {"instance", NormKind::kInstance},
                                           {"graph", NormKind::kGraph},
                                           {"mean_subtraction", NormKind::kMeanSubtraction}};
constexpr Choice<NormKind> kNormModes[] = {{"node", NormKind::kLayerNode}, {"graph", NormKind::kLayerGraph}};
constexpr Choice<bool> kLayerTypes[] = {{"convolution", false}, {"linear", true}};
constexpr Choice<JumpingKnowledge> kJumpingKnowledge[] = {{"none", JumpingKnowledge::kNone},
                                                          {"last", JumpingKnowledge::kNone},
                                                          {"max", JumpingKnowledge::kMax},
                                                          {"cat", JumpingKnowledge::kCat}};
constexpr Choice<bool> kOutputs[] = {{"softmax", false}, {"sigmoid", true}};
constexpr Choice<EdgeDecoder> kCombinations[] = {{"concat", EdgeDecoder::kConcat}, {"product", EdgeDecoder::kProduct}};

// The norm in field `norm`, if there is one.
GraphNormConfig ReadNorm(JsonFields& of, absl::Status& status) {
  GraphNormConfig norm;
  if (!of.Has("norm")) return norm;
  if (!of.Value("norm").is_object()) {
    of.Wrong("norm", "which is not an object");
    return norm;
  }
  JsonFields fields = of.Inner("norm");
  norm.kind = fields.OneOf("type", kNormTypes, "layer");
  switch (norm.kind) {
    case NormKind::kLayerGraph:
      fields.Only({"name", "type", "mode", "eps"});
      norm.kind = fields.OneOf("mode", kNormModes, "graph");
      break;
    case NormKind::kPair:
      fields.Only({"type", "eps", "scale", "scale_individually"});
      norm.scale = static_cast<float>(fields.Number("scale", 1, -kLargest, kLargest));
      norm.scale_individually = fields.Bool("scale_individually", false);
      break;
    case NormKind::kL2:
      fields.Only({"type", "eps"});
      break;
    case NormKind::kMeanSubtraction:
      fields.Only({"type"});
      break;
    default:
      fields.Only({"name", "type", "eps"});
  }
  if (norm.has_weights()) {
    norm.name = fields.String("name", "");
    if (norm.name.empty() && norm.kind != NormKind::kInstance) fields.Missing("name");
  }
  norm.epsilon = static_cast<float>(fields.Number("eps", norm.kind == NormKind::kL2 ? 1e-12 : 1e-5, 0, 1));
  if (status.ok()) status = fields.status();
  return norm;
}

RowActivation ReadActivation(JsonFields& of, absl::Status& status) {
  if (!of.Value("activation").is_object()) return of.OneOf("activation", kActivations, "none");
  JsonFields fields = of.Inner("activation");
  fields.Only({"type", "slope"});
  RowActivation activation = fields.OneOf("type", kActivations, "");
  if (activation.other == Other::kLeakyRelu) {
    activation.slope = static_cast<float>(fields.Number("slope", 0.01, -kLargest, kLargest));
  } else if (fields.Has("slope")) {
    fields.Wrong("slope", "which only leaky_relu has");
  }
  if (status.ok()) status = fields.status();
  return activation;
}

GraphLayerConfig ReadLayer(JsonFields fields, size_t index, const GraphConfig& config, absl::Status& status) {
  GraphLayerConfig layer;
  layer.linear = fields.OneOf("type", kLayerTypes, "convolution");
  if (layer.linear) {
    fields.Only({"name", "type", "out_channels", "residual", "bias", "norm", "activation", "activation_first"});
  } else {
    fields.Only({"name", "type", "out_channels", "heads", "concat", "negative_slope", "add_self_loops", "fill_value",
                 "improved", "normalize", "share_weights", "residual", "bias", "logit_bias", "norm", "activation",
                 "activation_first"});
  }
  const bool gcn = config.convolution == GraphConvolution::kGcn;
  layer.name = fields.String("name", absl::StrCat("convs.", index));
  layer.out_channels = fields.RequiredInt("out_channels", 1, kMaxWidth);
  layer.heads = fields.Int("heads", 1, 1, gcn ? 1 : kMaxHeads);
  layer.concat = fields.Bool("concat", true);
  if (layer.heads * layer.out_channels > kMaxWidth) {
    fields.Wrong("heads", absl::StrCat("which makes heads of ", layer.out_channels, " wider than ", kMaxWidth));
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
  layer.norm = ReadNorm(fields, status);
  layer.activation = ReadActivation(fields, status);
  layer.activation_first = fields.Bool("activation_first", false);
  if (status.ok()) status = fields.status();
  return layer;
}

// The objects of a list; empty if the field is not there.
std::vector<JsonFields> List(JsonFields& fields, absl::string_view name) {
  std::vector<JsonFields> items;
  const nlohmann::json& value = fields.Value(name);
  if (value.is_null()) return items;
  if (!value.is_array() || value.size() > kMaxLayers) {
    fields.Wrong(name, absl::StrCat("which is not a list of at most ", kMaxLayers, " objects"));
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
    item.Only({"name", "norm", "activation", "activation_first"});
    LinearConfig layer;
    layer.name = item.String("name", "");
    if (layer.name.empty()) item.Missing("name");
    layer.norm = ReadNorm(item, status);
    if (layer.norm.over_graph()) {
      item.Wrong("norm",
                 "which is over the nodes of a graph: behind a linear layer of this list it must be of one row");
    }
    layer.activation = ReadActivation(item, status);
    layer.activation_first = item.Bool("activation_first", false);
    if (status.ok()) status = item.status();
    layers.push_back(std::move(layer));
  }
  return layers;
}

ReadoutConfig ReadReadout(JsonFields fields, absl::Status& status) {
  ReadoutConfig readout;
  fields.Only({"pooling", "gate", "transform"});
  readout.pooling = fields.OneOf("pooling", kPoolings, "mean");
  readout.gate = ReadMlp(fields, "gate", status);
  readout.transform = ReadMlp(fields, "transform", status);
  const bool attention = readout.pooling == GraphPooling::kAttention;
  if (attention && readout.gate.empty()) fields.Missing("gate");
  if (!attention && fields.Has("gate")) fields.Wrong("gate", "but the pooling is not attention");
  if (!attention && fields.Has("transform")) fields.Wrong("transform", "but the pooling is not attention");
  if (status.ok()) status = fields.status();
  return readout;
}

void ReadDecoder(JsonFields& fields, GraphConfig& config, absl::Status& status) {
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
}

void ReadReadouts(JsonFields& fields, GraphConfig& config, absl::Status& status) {
  if (fields.Has("readout")) {
    if (config.task != GraphTaskKind::kGraph) fields.Wrong("readout", "but the task is not graph");
    if (fields.Value("readout").is_object()) {
      config.readouts.push_back(ReadReadout(fields.Inner("readout"), status));
    } else if (fields.Value("readout").is_array() && !fields.Value("readout").empty()) {
      for (JsonFields& readout : List(fields, "readout")) {
        config.readouts.push_back(ReadReadout(std::move(readout), status));
      }
    } else {
      fields.Wrong("readout", "which is neither an object nor a list of objects");
    }
  }
}

void ReadLabels(JsonFields& fields, GraphConfig& config) {
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
}

}  // namespace

bool GraphConfig::NeedsWholeGraph() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const GraphLayerConfig& layer) { return layer.norm.over_graph(); });
}

absl::StatusOr<GraphConfig> ReadGraphConfig(const std::string& path) {
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(path));
  absl::Status status;
  GraphConfig config;
  config.path = path;
  config.convolution = fields.OneOf("model_type", kConvolutions, "");
  config.model_type = fields.String("model_type", "");
  config.task = fields.OneOf("task", kTasks, "");
  config.in_channels = fields.RequiredInt("in_channels", 1, kMaxWidth);
  const bool gcn = config.convolution == GraphConvolution::kGcn;
  config.edge_dim = fields.Int("edge_dim", 0, 0, gcn ? 1 : kMaxEdgeWidth);
  for (JsonFields& layer : List(fields, "layers")) {
    config.layers.push_back(ReadLayer(std::move(layer), config.layers.size(), config, status));
  }
  if (fields.status().ok() && config.layers.empty()) fields.Missing("layers");
  const auto is_linear = [](const GraphLayerConfig& layer) { return layer.linear; };
  if (!config.layers.empty() && std::all_of(config.layers.begin(), config.layers.end(), is_linear)) {
    fields.Wrong("layers", "of which none is a convolution");
  }
  config.jumping_knowledge = fields.OneOf("jumping_knowledge", kJumpingKnowledge, "none");
  if (config.jumping_knowledge != JumpingKnowledge::kNone && !config.layers.empty() && config.layers.back().linear) {
    fields.Wrong("jumping_knowledge", absl::StrCat("but layer ", config.layers.back().name,
                                                   " behind the last convolution is linear: it belongs in mlp"));
  }

  ReadDecoder(fields, config, status);
  ReadReadouts(fields, config, status);
  if (config.readouts.empty()) config.readouts.emplace_back();
  config.mlp = ReadMlp(fields, "mlp", status);
  if (config.task == GraphTaskKind::kEdge && !config.mlp.empty()) {
    fields.Wrong("mlp", "but the task is edge: its layers stand in decoder");
  }
  const bool dot = config.task == GraphTaskKind::kEdge && config.decoder == EdgeDecoder::kDot;
  config.sigmoid = fields.OneOf("output", kOutputs, dot ? "sigmoid" : "softmax");
  if (dot && !config.sigmoid) fields.Wrong("output", "but an inner product is one number: it needs sigmoid");
  ReadLabels(fields, config);
  HEED_RETURN_IF_ERROR(fields.status());
  HEED_RETURN_IF_ERROR(status);
  return config;
}

}  // namespace heed
