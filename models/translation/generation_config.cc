// SPDX-License-Identifier: Apache-2.0
#include "models/translation/generation_config.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/search/generation_fields.h"

namespace heed {
namespace {

constexpr int64_t kMaxNgram = 1 << 16;
// transformers' setting where config.json does not say otherwise: files have it that mean nothing by it.
constexpr int64_t kUnsetMaxLength = 20;

// bad_words_ids, suppress_tokens and begin_suppress_tokens.
void ReadBans(JsonFields& fields, int64_t vocabulary, SearchRules& rules) {
  const auto is_id = [&](const nlohmann::json& id) {
    return id.is_number_unsigned() && id.get<uint64_t>() < static_cast<uint64_t>(vocabulary);
  };
  if (fields.Has("bad_words_ids")) {
    const nlohmann::json& phrases = fields.Value("bad_words_ids");
    if (!phrases.is_array()) fields.Wrong("bad_words_ids", "which is not a list");
    for (const nlohmann::json& phrase : phrases) {
      if (!phrase.is_array() || phrase.empty() || !std::all_of(phrase.begin(), phrase.end(), is_id)) {
        fields.Wrong("bad_words_ids", absl::StrCat("which is not a list of lists of ids below ", vocabulary));
        return;
      }
      if (phrase.size() == 1) {
        rules.banned.push_back(phrase[0].get<int32_t>());
      } else {
        rules.banned_phrases.push_back(phrase.get<std::vector<int32_t>>());
      }
    }
  }
  const auto read_ids = [&](const char* name, std::vector<int32_t>& ids) {
    const nlohmann::json& list = fields.Value(name);
    if (list.is_null()) return;
    if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_id)) {
      fields.Wrong(name, absl::StrCat("which is not a list of ids below ", vocabulary));
      return;
    }
    for (const nlohmann::json& id : list) ids.push_back(id.get<int32_t>());
  };
  read_ids("suppress_tokens", rules.banned);
  read_ids("begin_suppress_tokens", rules.banned_first);
  // An end that cannot be would make every translation as long as it may be.
  rules.banned.erase(std::remove(rules.banned.begin(), rules.banned.end(), rules.eos), rules.banned.end());
  std::sort(rules.banned.begin(), rules.banned.end());
  rules.banned.erase(std::unique(rules.banned.begin(), rules.banned.end()), rules.banned.end());
}

// [[layer, head], ...], as Whisper's files have it.
void ReadAlignmentHeads(JsonFields& fields, const CrossAttentionHeads& heads, GenerationConfig& config) {
  constexpr char kName[] = "alignment_heads";
  const nlohmann::json& list = fields.Value(kName);
  if (list.is_null() || (list.is_array() && list.empty())) return;
  if (heads.layers == 0) {
    config.warnings.push_back(absl::StrCat(fields.path(), ": ", kName, " is ", fields.Shown(kName),
                                           ", but this network aligns by the only attention that it has"));
    return;
  }
  const auto is_below = [](const nlohmann::json& number, int64_t limit) {
    return number.is_number_unsigned() && number.get<uint64_t>() < static_cast<uint64_t>(limit);
  };
  const auto is_head = [&](const nlohmann::json& pair) {
    return pair.is_array() && pair.size() == 2 && is_below(pair[0], heads.layers) && is_below(pair[1], heads.heads);
  };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_head)) {
    fields.Wrong(kName, absl::StrCat("which is not a list of pairs of a layer below ", heads.layers,
                                     " and a head below ", heads.heads));
    return;
  }
  for (const nlohmann::json& pair : list) {
    const AlignmentHead head = {pair[0].get<int32_t>(), pair[1].get<int32_t>()};
    if (std::find(config.alignment_heads.begin(), config.alignment_heads.end(), head) != config.alignment_heads.end()) {
      fields.Wrong(kName, absl::StrCat("which has [", head.layer, ", ", head.head, "] twice"));
      return;
    }
    config.alignment_heads.push_back(head);
  }
}

// `only_generation`: of generation_config.json.
absl::Status ReadFields(JsonFields& fields, bool only_generation, int64_t vocabulary, int64_t positions,
                        const CrossAttentionHeads& heads, GenerationConfig& config) {
  config.path = fields.path();
  HEED_RETURN_IF_ERROR(CheckGenerationFields(fields, only_generation, config.warnings));
  HEED_ASSIGN_OR_RETURN(config.search.start,
                        ReadTokenId(fields, "decoder_start_token_id", config.search.start, vocabulary));
  HEED_ASSIGN_OR_RETURN(config.search.eos, ReadTokenId(fields, "eos_token_id", config.search.eos, vocabulary));
  if (fields.Has("forced_eos_token_id")) {
    HEED_ASSIGN_OR_RETURN(const int32_t forced,
                          ReadTokenId(fields, "forced_eos_token_id", config.search.eos, vocabulary));
    if (forced != config.search.eos) {
      return absl::UnimplementedError(absl::StrCat(fields.path(), ": forced_eos_token_id is ",
                                                   fields.Shown("forced_eos_token_id"),
                                                   ", but only eos_token_id is served"));
    }
    config.search.force_eos = true;
  }
  config.search.renormalize = fields.Bool("renormalize_logits", false);
  ReadBans(fields, vocabulary, config.search);
  ReadAlignmentHeads(fields, heads, config);

  TranslateOptions& options = config.default_options;
  options.beam_size = static_cast<int>(fields.Int("num_beams", 1, 1, kMaxBeamSize));
  options.length_penalty =
      static_cast<float>(fields.Number("length_penalty", 1.0, -kMaxLengthPenalty, kMaxLengthPenalty));
  options.no_repeat_ngram = static_cast<int>(fields.Int("no_repeat_ngram_size", 0, 0, kMaxNgram));
  // Lengths count the decoder's first token, which is not one of the translation's.
  options.min_tokens = static_cast<int>(std::max<int64_t>(0, fields.Int("min_length", 0, 0, positions) - 1));
  options.min_tokens = static_cast<int>(fields.Int("min_new_tokens", options.min_tokens, 0, positions - 1));
  const auto limit = [&](const char* name) {  // beyond the positions there is none
    return std::min(positions, fields.Int(name, 0, 0, std::numeric_limits<int64_t>::max()));
  };
  const int64_t max_length = limit("max_length");
  const bool unset = max_length == 0 || (!only_generation && max_length == kUnsetMaxLength);
  if (!unset) config.search.max_tokens = std::max<int64_t>(1, max_length - 1);
  config.search.max_new_tokens = limit("max_new_tokens");
  const nlohmann::json& early = fields.Value("early_stopping");
  if (early.is_boolean()) {
    options.early_stopping = early.get<bool>() ? EarlyStopping::kFirst : EarlyStopping::kHeuristic;
  } else if (early.is_string() && early.get<std::string>() == "never") {
    options.early_stopping = EarlyStopping::kNever;
  } else if (!early.is_null()) {
    fields.Wrong("early_stopping", "which is neither true, false nor \"never\"");
  }
  return fields.status();
}

}  // namespace

absl::StatusOr<int32_t> ReadTokenId(JsonFields& fields, absl::string_view name, int64_t fallback, int64_t limit) {
  const nlohmann::json& value = fields.Value(name);
  if (!value.is_array()) return static_cast<int32_t>(fields.Int(name, fallback, 0, limit - 1));
  if (value.size() > 1) {
    return absl::UnimplementedError(
        absl::StrCat(fields.path(), ": ", name, " is a list of ", value.size(), ", but one id is served"));
  }
  const bool is_id =
      !value.empty() && value[0].is_number_unsigned() && value[0].get<uint64_t>() < static_cast<uint64_t>(limit);
  if (!is_id) {
    fields.Wrong(name, absl::StrCat("but not of one id below ", limit));
    return fields.status();
  }
  return value[0].get<int32_t>();
}

absl::Status ReadGenerationConfig(const std::string& directory, JsonFields& config_json, int64_t target_vocabulary,
                                  int64_t max_target_tokens, const CrossAttentionHeads& heads,
                                  GenerationConfig& generation) {
  absl::StatusOr<JsonFields> own = JsonFields::Read(absl::StrCat(directory, "/generation_config.json"));
  if (absl::IsNotFound(own.status())) {
    return ReadFields(config_json, /*only_generation=*/false, target_vocabulary, max_target_tokens, heads, generation);
  }
  HEED_RETURN_IF_ERROR(own.status());
  return ReadFields(*own, /*only_generation=*/true, target_vocabulary, max_target_tokens, heads, generation);
}

}  // namespace heed
