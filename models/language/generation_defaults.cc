// SPDX-License-Identifier: Apache-2.0
#include "models/language/generation_defaults.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/search/generation_fields.h"

namespace heed {
namespace {

// transformers' settings where a file does not say otherwise.
constexpr int64_t kUnsetMaxLength = 20;
constexpr int64_t kUnsetTopK = 50;

// What is read here beside what the table of translators serves.
constexpr absl::string_view kServed[] = {"do_sample", "repetition_penalty", "temperature", "top_k", "top_p"};
// What that table serves and nothing here reads. A file that sets one of these wants other texts.
constexpr const char* kRefused[] = {"bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "forced_eos_token_id"};
// What only sampling reads, and the value with which it does nothing.
constexpr struct {
  const char* name;
  double neutral;
} kRefusedOfSampling[] = {{"typical_p", 1}, {"min_p", 0}, {"epsilon_cutoff", 0}, {"eta_cutoff", 0}};

absl::Status NotServed(const JsonFields& fields, const char* name) {
  return absl::UnimplementedError(
      absl::StrCat(fields.path(), ": ", name, " is ", fields.Shown(name), ", which is not served"));
}

absl::Status CheckFields(const JsonFields& fields, bool only_generation, std::vector<std::string>& warnings) {
  HEED_RETURN_IF_ERROR(CheckGenerationFields(fields, only_generation, warnings, kServed));
  for (const char* name : kRefused) {
    const nlohmann::json& value = fields.Value(name);
    if (value.is_null() || (value.is_structured() && value.empty())) continue;
    return NotServed(fields, name);
  }
  // It counts the prompt, as max_length does.
  if (fields.Has("min_length") && fields.Value("min_length") != 0) return NotServed(fields, "min_length");
  if (fields.Value("renormalize_logits") == true) return NotServed(fields, "renormalize_logits");
  return absl::OkStatus();
}

absl::Status ReadSampling(JsonFields& fields, GenerateOptions& options) {
  options.sample = fields.Bool("do_sample", options.sample);
  Sampling& sampling = options.sampling;
  sampling.temperature =
      static_cast<float>(fields.Number("temperature", static_cast<double>(sampling.temperature), 1e-6, 1000));
  sampling.top_k = static_cast<int>(fields.Int("top_k", sampling.top_k, 0, std::numeric_limits<int32_t>::max()));
  sampling.top_p = static_cast<float>(fields.Number("top_p", static_cast<double>(sampling.top_p), 1e-6, 1));
  if (!options.sample) return absl::OkStatus();
  for (const auto& [name, neutral] : kRefusedOfSampling) {
    const nlohmann::json& value = fields.Value(name);
    if (!value.is_null() && value != neutral) return NotServed(fields, name);
  }
  return absl::OkStatus();
}

absl::Status ReadFields(JsonFields& fields, bool only_generation, GenerationDefaults& defaults) {
  HEED_RETURN_IF_ERROR(CheckFields(fields, only_generation, defaults.warnings));
  GenerateOptions& options = defaults.options;
  HEED_RETURN_IF_ERROR(ReadSampling(fields, options));
  options.beam_size = static_cast<int>(fields.Int("num_beams", options.beam_size, 1, kMaxBeamSize));
  options.length_penalty = static_cast<float>(fields.Number(
      "length_penalty", static_cast<double>(options.length_penalty), -kMaxLengthPenalty, kMaxLengthPenalty));
  options.no_repeat_ngram = static_cast<int>(fields.Int("no_repeat_ngram_size", options.no_repeat_ngram, 0, kMaxNgram));
  options.repetition_penalty = static_cast<float>(
      fields.Number("repetition_penalty", static_cast<double>(options.repetition_penalty), 1e-3, 100));
  options.min_tokens = static_cast<int>(fields.Int("min_new_tokens", options.min_tokens, 0, kMaxGeneratedTokens));
  const int64_t max_new_tokens =
      fields.Int("max_new_tokens", options.max_tokens, 0, std::numeric_limits<int64_t>::max());
  options.max_tokens = static_cast<int>(std::min(max_new_tokens, kMaxGeneratedTokens));
  const int64_t max_length = fields.Int("max_length", 0, 0, std::numeric_limits<int64_t>::max());
  if (max_length > 0 && (only_generation || max_length != kUnsetMaxLength)) defaults.max_length = max_length;
  const nlohmann::json& early = fields.Value("early_stopping");
  if (early.is_boolean()) {
    options.early_stopping = early.get<bool>() ? EarlyStopping::kFirst : EarlyStopping::kHeuristic;
  } else if (early == "never") {
    options.early_stopping = EarlyStopping::kNever;
  } else if (!early.is_null()) {
    fields.Wrong("early_stopping", "which is neither true, false nor \"never\"");
  }
  if (options.sample && options.beam_size > 1) {
    return absl::UnimplementedError(absl::StrCat(fields.path(), ": num_beams is ", options.beam_size,
                                                 " and do_sample is true, which is not served: draws have no beams"));
  }
  return fields.status();
}

}  // namespace

absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const std::string& directory, const JsonFields& config) {
  GenerationDefaults defaults;
  defaults.options.sampling.top_k = kUnsetTopK;
  absl::StatusOr<JsonFields> own = JsonFields::Read(absl::StrCat(directory, "/generation_config.json"));
  if (own.ok()) {
    HEED_RETURN_IF_ERROR(ReadFields(*own, /*only_generation=*/true, defaults));
  } else if (absl::IsNotFound(own.status())) {
    JsonFields fields = config;
    HEED_RETURN_IF_ERROR(ReadFields(fields, /*only_generation=*/false, defaults));
  } else {
    return own.status();
  }
  if (config.Has("task_specific_params")) {
    JsonFields tasks = config.Inner("task_specific_params");
    if (tasks.Has("text-generation")) {
      JsonFields generation = tasks.Inner("text-generation");
      HEED_RETURN_IF_ERROR(ReadFields(generation, /*only_generation=*/true, defaults));
    }
  }
  // A request that asks for sampling by itself draws among all tokens unless it says otherwise.
  if (!defaults.options.sample) defaults.options.sampling = Sampling();
  return defaults;
}

}  // namespace heed
