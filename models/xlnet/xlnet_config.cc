// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_config.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxLength = 1 << 24;
constexpr int64_t kMaxLabels = 1 << 20;
constexpr int64_t kMaxTop = 1024;
constexpr int64_t kDefaultLabels = 2;

absl::Status Unserved(const JsonFields& fields, absl::string_view name, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(fields.path(), ": ", name, " is ", fields.Shown(name), ", ", what));
}

// A field that has older names, of which none may say something else.
int64_t ReadSize(JsonFields& fields, absl::string_view name, const std::vector<const char*>& others, int64_t fallback,
                 int64_t least, int64_t most) {
  absl::string_view given = name;
  for (const char* other : others) {
    if (!fields.Has(given) && fields.Has(other)) given = other;
  }
  const int64_t value = fields.Int(given, fallback, least, most);
  for (const char* other : others) {
    if (fields.Has(other) && fields.Int(other, value) != value) {
      fields.Wrong(other, absl::StrCat("but ", given, " is ", value));
    }
  }
  return value;
}

absl::StatusOr<Activation> ReadActivation(JsonFields& fields, absl::string_view name, const char* fallback) {
  const std::string given = fields.String(name, fallback);
  if (given == "gelu" || given == "gelu_python") return Activation::kGelu;
  if (given == "gelu_new" || given == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  if (given == "relu") return Activation::kRelu;
  if (given == "silu" || given == "swish") return Activation::kSwish;
  if (name == "ff_activation") return Unserved(fields, name, "but gelu, gelu_new, relu and silu are served");
  if (given == "tanh") return Activation::kTanh;
  if (given == "sigmoid") return Activation::kSigmoid;
  if (given == "linear" || given.empty()) return Activation::kNone;
  return Unserved(fields, name, "but tanh, gelu, gelu_new, relu, silu, sigmoid, linear and null are served");
}

absl::Status ReadShape(JsonFields& fields, XlnetConfig& config) {
  if (!fields.Has("vocab_size") && !fields.Has("n_token")) fields.Missing("vocab_size");
  config.vocabulary = ReadSize(fields, "vocab_size", {"n_token"}, 2, 2, kMaxVocabulary);
  config.d_model = ReadSize(fields, "d_model", {"hidden_size"}, 1024, 2, kMaxWidth);
  config.layers = ReadSize(fields, "n_layer", {"num_hidden_layers"}, 24, 1, kMaxLayers);
  config.heads = ReadSize(fields, "n_head", {"num_attention_heads"}, 16, 1, kMaxWidth);
  config.d_inner = fields.Int("d_inner", 4096, 1, kMaxWidth);
  config.layer_norm_eps = static_cast<float>(fields.Number("layer_norm_eps", 1e-12, 0, 1));
  HEED_RETURN_IF_ERROR(fields.status());
  if (config.d_model % config.heads != 0) {
    fields.Wrong("n_head", absl::StrCat("which does not divide d_model, ", config.d_model));
  }
  if (config.d_model % 2 != 0) fields.Wrong("d_model", "which is odd");
  if (fields.Has("d_head") && fields.Int("d_head", 0) != config.head_dim()) {
    fields.Wrong("d_head", absl::StrCat("but d_model / n_head is ", config.head_dim()));
  }
  HEED_ASSIGN_OR_RETURN(config.activation, ReadActivation(fields, "ff_activation", "gelu"));
  config.tied_output = fields.Bool("tie_word_embeddings", true);
  return fields.status();
}

// What tokens see, and what is kept of them.
absl::Status ReadAttention(JsonFields& fields, XlnetConfig& config) {
  constexpr Choice<bool> kTypes[] = {{"bi", false}, {"uni", true}};
  config.causal = fields.OneOf("attn_type", kTypes, "bi");
  config.same_length = fields.Bool("same_length", false) && config.causal;  // transformers reads it with "uni" only
  config.mem_len = fields.Has("mem_len") ? fields.Int("mem_len", 0, 0, kMaxLength) : 0;
  // What is not in the file is the class's default, unlike null.
  if (!fields.object().contains("mem_len")) config.mem_len = 512;
  config.reuse_len = std::max<int64_t>(0, fields.Int("reuse_len", 0, -1, kMaxLength));
  config.clamp_len = std::max<int64_t>(0, fields.Int("clamp_len", -1, -1, kMaxLength));
  if (fields.Bool("bi_data", false)) {
    return Unserved(fields, "bi_data", "which is for pre-training: half of each batch is read backwards");
  }
  if (fields.Has("pruned_heads") && !fields.Value("pruned_heads").empty()) {
    return Unserved(fields, "pruned_heads", "but heads of an XLNet cannot be pruned");
  }
  // Without effect on answers, but not to be something else.
  fields.Bool("untie_r", true);
  fields.Bool("use_mems_eval", true);
  fields.Bool("use_mems_train", false);
  fields.Number("dropout", 0.1, 0, 1);
  fields.Number("initializer_range", 0.02, 0);
  fields.Number("summary_last_dropout", 0.1, 0, 1);
  const int64_t last = config.vocabulary - 1;
  for (const char* token : {"pad_token_id", "bos_token_id", "eos_token_id"}) fields.Int(token, 0, -1, last);
  return fields.status();
}

// The labels by their numbers, which are 0, 1, ... without a gap.
absl::Status ReadLabels(JsonFields& fields, XlnetConfig& config) {
  int64_t count = fields.Int("num_labels", kDefaultLabels, 1, kMaxLabels);
  const nlohmann::json& names = fields.Value("id2label");
  if (!fields.Has("id2label")) {
    HEED_RETURN_IF_ERROR(fields.status());
    for (int64_t i = 0; i < count; ++i) config.labels.push_back(absl::StrCat("LABEL_", i));
    return absl::OkStatus();
  }
  if (!names.is_object() || names.empty()) {
    fields.Wrong("id2label", "must be an object from numbers to labels");
    return fields.status();
  }
  if (fields.Has("num_labels") && count != static_cast<int64_t>(names.size())) {
    fields.Wrong("num_labels", absl::StrCat("but id2label has ", names.size()));
  }
  config.labels.resize(names.size());
  std::vector<bool> seen(names.size());
  for (const auto& [key, value] : names.items()) {
    int64_t id = -1;
    const bool is_id = absl::SimpleAtoi(key, &id) && id >= 0 && id < static_cast<int64_t>(names.size());
    if (!is_id || seen[static_cast<size_t>(id)] || !value.is_string()) {
      fields.Wrong("id2label", absl::StrCat("must have a text for each number from 0 to ", names.size() - 1));
      return fields.status();
    }
    seen[static_cast<size_t>(id)] = true;
    config.labels[static_cast<size_t>(id)] = value.get<std::string>();
  }
  return fields.status();
}

absl::Status ReadHeads(JsonFields& fields, XlnetConfig& config) {
  constexpr Choice<XlnetSummary> kSummaries[] = {{"last", XlnetSummary::kLast},
                                                 {"first", XlnetSummary::kFirst},
                                                 {"mean", XlnetSummary::kMean},
                                                 {"cls_index", XlnetSummary::kLast}};  // XLNet gives it no index
  if (fields.String("summary_type", "last") == "attn") {
    return Unserved(fields, "summary_type", "which transformers does not have either");
  }
  config.summary = fields.OneOf("summary_type", kSummaries, "last");
  config.summary_projection = fields.Bool("summary_use_proj", true);
  if (fields.Bool("summary_proj_to_labels", false)) {
    return Unserved(fields, "summary_proj_to_labels", "which does not fit logits_proj in transformers either");
  }
  // Null is no activation; what is not in the file is tanh.
  const bool is_null = fields.object().contains("summary_activation") && !fields.Has("summary_activation");
  HEED_ASSIGN_OR_RETURN(config.summary_activation, ReadActivation(fields, "summary_activation", is_null ? "" : "tanh"));
  constexpr Choice<XlnetProblem> kProblems[] = {{"", XlnetProblem::kByLabels},
                                                {"regression", XlnetProblem::kRegression},
                                                {"single_label_classification", XlnetProblem::kSingleLabel},
                                                {"multi_label_classification", XlnetProblem::kMultiLabel}};
  if (fields.Has("problem_type")) config.problem = fields.OneOf("problem_type", kProblems, "");
  config.start_n_top = fields.Int("start_n_top", 5, 1, kMaxTop);
  config.end_n_top = fields.Int("end_n_top", 5, 1, kMaxTop);
  HEED_RETURN_IF_ERROR(ReadLabels(fields, config));
  const nlohmann::json& architectures = fields.Value("architectures");
  if (!fields.Has("architectures")) return fields.status();
  const auto is_text = [](const nlohmann::json& value) { return value.is_string(); };
  if (!architectures.is_array() || !std::all_of(architectures.begin(), architectures.end(), is_text)) {
    fields.Wrong("architectures", "must be a list of names");
    return fields.status();
  }
  for (const nlohmann::json& name : architectures) config.architectures.push_back(name.get<std::string>());
  return fields.status();
}

}  // namespace

bool XlnetConfig::IsFor(const std::string& task) const {
  return std::any_of(architectures.begin(), architectures.end(),
                     [&](const std::string& name) { return absl::StrContains(name, task); });
}

absl::StatusOr<XlnetConfig> ReadXlnetConfig(JsonFields fields) {
  XlnetConfig config;
  HEED_RETURN_IF_ERROR(ReadShape(fields, config));
  HEED_RETURN_IF_ERROR(ReadAttention(fields, config));
  HEED_RETURN_IF_ERROR(ReadHeads(fields, config));
  return config;
}

}  // namespace heed
