// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/transformer_xl_config.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kMaxXlWidth = 1 << 16;
constexpr int64_t kMaxXlVocabulary = 1 << 24;
constexpr int64_t kMaxXlLayers = 1024;
constexpr int64_t kMaxXlMemory = 1 << 16;
constexpr int64_t kMaxCutoffs = 64;

enum class InitialMemory { kZeros, kEmpty };
constexpr Choice<InitialMemory> kInitialMemories[] = {{"zeros", InitialMemory::kZeros},
                                                      {"empty", InitialMemory::kEmpty}};
constexpr Choice<TextProblem> kTextProblems[] = {{"single_label_classification", TextProblem::kOneLabel},
                                                 {"multi_label_classification", TextProblem::kSeveralLabels},
                                                 {"regression", TextProblem::kRegression}};
constexpr size_t kMaxXlLabels = 1 << 16;

absl::Status UnservedField(const JsonFields& fields, absl::string_view name, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(fields.path(), ": ", name, " is ", fields.Shown(name), ", ", what));
}

// A field by its name or, in older files, by another. Both may be there with one value.
const char* NameInFile(JsonFields& fields, const char* name, const char* older) {
  if (!fields.Has(name)) return fields.Has(older) ? older : name;
  if (fields.Has(older) && fields.Value(older) != fields.Value(name)) {
    fields.Wrong(older, absl::StrCat("but ", name, ", which is the same, is ", fields.Shown(name)));
  }
  return name;
}

void ReadCutoffs(JsonFields& fields, TransformerXlConfig& config) {
  const nlohmann::json& list = fields.Value("cutoffs");
  if (list.is_null()) {
    fields.Missing("cutoffs");
    return;
  }
  int64_t before = 0;
  const auto follows = [&](const nlohmann::json& item) {
    if (!item.is_number_integer() || item.get<int64_t>() <= before || item.get<int64_t>() >= config.vocabulary) {
      return false;
    }
    before = item.get<int64_t>();
    config.cutoffs.push_back(before);
    return true;
  };
  if (!list.is_array() || list.size() > kMaxCutoffs || !std::all_of(list.begin(), list.end(), follows)) {
    fields.Wrong("cutoffs", absl::StrCat("which is not a list of at most ", kMaxCutoffs,
                                         " ascending numbers between 0 and vocab_size, ", config.vocabulary));
  }
}

// tie_projs, or what proj_share_all_but_first makes of it.
void ReadTiedProjections(JsonFields& fields, TransformerXlConfig& config) {
  const size_t bins = static_cast<size_t>(config.bins());
  const bool share = fields.Bool("proj_share_all_but_first", true);
  config.tied_projections.assign(bins, share);
  config.tied_projections[0] = false;
  if (!fields.Has("tie_projs")) return;
  const nlohmann::json& list = fields.Value("tie_projs");
  const auto is_bool = [](const nlohmann::json& item) { return item.is_boolean(); };
  if (!list.is_array() || (!list.empty() && list.size() != bins) || !std::all_of(list.begin(), list.end(), is_bool)) {
    fields.Wrong("tie_projs", absl::StrCat("which is not a list of true and false for each of the ", bins,
                                           " bins that cutoffs makes"));
    return;
  }
  config.tied_projections.assign(bins, false);
  for (size_t i = 0; i < list.size(); ++i) config.tied_projections[i] = list[i].get<bool>();
}

void ReadMemory(JsonFields& fields, TransformerXlConfig& config) {
  config.mem_len = fields.RequiredInt("mem_len", 0, kMaxXlMemory);
  config.clamp_len = std::max<int64_t>(0, fields.Int("clamp_len", 0, -kMaxXlMemory, kMaxXlMemory));
  config.same_length = fields.Bool("same_length", false);
  if (config.same_length && config.mem_len == 0 && fields.status().ok()) {
    fields.Wrong("mem_len", "but same_length is true: a token would not even see itself");
  }
  config.zeros_before = fields.OneOf("initial_memory", kInitialMemories, "zeros") == InitialMemory::kZeros;
  config.segment_tokens = std::max<int64_t>(1, fields.Int("tgt_len", 1, 0, kMaxXlMemory));
}

// id2label: {"0": "NEGATIVE", "1": "POSITIVE"}.
void ReadLabels(JsonFields& fields, TransformerXlConfig& config) {
  if (fields.Has("problem_type")) config.problem = fields.OneOf("problem_type", kTextProblems, "");
  const nlohmann::json& names = fields.Value("id2label");
  if (names.is_null()) return;
  bool good = names.is_object() && names.size() <= kMaxXlLabels;
  for (size_t i = 0; good && i < names.size(); ++i) {
    const auto name = names.find(std::to_string(i));
    good = name != names.end() && name->is_string();
    if (good) config.labels.push_back(name->get<std::string>());
  }
  if (!good) fields.Wrong("id2label", "which is not an object of texts whose names are 0, 1, 2, ...");
}

}  // namespace

int64_t TransformerXlConfig::BinStart(int64_t bin) const {
  return bin == 0 ? 0 : bin == bins() ? vocabulary : cutoffs[static_cast<size_t>(bin - 1)];
}

int64_t TransformerXlConfig::BinOf(int32_t token) const {
  return std::upper_bound(cutoffs.begin(), cutoffs.end(), token) - cutoffs.begin();
}

int64_t TransformerXlConfig::BinWidth(int64_t bin) const {
  int64_t width = d_embed;
  for (int64_t i = 0; i < bin && div_val > 1; ++i) width /= div_val;
  return width;
}

int64_t TransformerXlConfig::MaxDistance() const {
  const int64_t clamp = clamp_len > 0 ? clamp_len : std::numeric_limits<int64_t>::max();
  return same_length ? std::min(clamp, mem_len - 1) : clamp;
}

absl::StatusOr<TransformerXlConfig> ReadTransformerXlConfig(JsonFields& fields) {
  TransformerXlConfig config;
  config.vocabulary = fields.RequiredInt(NameInFile(fields, "vocab_size", "n_token"), 2, kMaxXlVocabulary);
  config.d_model = fields.RequiredInt("d_model", 2, kMaxXlWidth);
  config.d_embed = fields.RequiredInt("d_embed", 1, kMaxXlWidth);
  config.heads = fields.RequiredInt("n_head", 1, kMaxXlWidth);
  config.head_dim = fields.RequiredInt("d_head", 1, kMaxXlWidth);
  config.d_inner = fields.RequiredInt("d_inner", 1, kMaxXlWidth);
  config.layers = fields.RequiredInt("n_layer", 1, kMaxXlLayers);
  config.div_val = fields.Int("div_val", 1, 1, kMaxXlWidth);
  config.pre_norm = fields.Bool("pre_lnorm", false);
  config.untie_r = fields.Bool("untie_r", true);
  config.norm_epsilon = static_cast<float>(fields.Number("layer_norm_epsilon", 1e-5, 0, 1));
  config.tied_embeddings = fields.Bool(NameInFile(fields, "tie_word_embeddings", "tie_weight"), true);
  HEED_RETURN_IF_ERROR(fields.status());
  if (config.d_model % 2 != 0) fields.Wrong("d_model", "which is odd: positions are sines and cosines");
  ReadCutoffs(fields, config);
  HEED_RETURN_IF_ERROR(fields.status());
  ReadTiedProjections(fields, config);
  ReadMemory(fields, config);
  ReadLabels(fields, config);
  if (config.BinWidth(config.bins() - 1) == 0) {
    fields.Wrong("div_val", absl::StrCat("but d_embed is ", config.d_embed, ", and the last of ", config.bins(),
                                         " bins would have embeddings of no numbers"));
  }
  if (config.heads * config.head_dim > kMaxXlWidth) {
    fields.Wrong("n_head",
                 absl::StrCat("but d_head is ", config.head_dim, ", and their product is over ", kMaxXlWidth));
  }
  if (fields.Has("eos_token_id")) {
    config.eos = static_cast<int32_t>(fields.Int("eos_token_id", 0, 0, config.vocabulary - 1));
  }
  const int64_t attention_type = fields.Int("attn_type", 0);
  const int64_t sampled = fields.Int("sample_softmax", -1);
  HEED_RETURN_IF_ERROR(fields.status());
  if (attention_type != 0) return UnservedField(fields, "attn_type", "but only 0, relative attention, is served");
  if (sampled > 0) return UnservedField(fields, "sample_softmax", "but only the whole softmax is served");
  return config;
}

}  // namespace heed
