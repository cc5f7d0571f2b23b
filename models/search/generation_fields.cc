// SPDX-License-Identifier: Apache-2.0
#include "models/search/generation_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using enum GenerationTreatment;
using Neutral = NeutralValue;

constexpr char kNotServed[] = "which is not served";
constexpr char kOnlySampling[] = "which only sampling reads, and requests ask for that with their own";

// transformers/generation/configuration_utils.py of 4.57.6.
constexpr GenerationField kFields[] = {
    {"_commit_hash", kIgnored},
    {"_from_model_config", kIgnored},
    {"alignment_heads", kServed},  // of Whisper's
    {"assistant_confidence_threshold", kIgnored},
    {"assistant_early_exit", kIgnored},
    {"assistant_lookbehind", kIgnored},
    {"bad_words_ids", kServed},
    {"begin_suppress_tokens", kServed},
    {"bos_token_id", kIgnored},
    {"cache_config", kIgnored},
    {"cache_implementation", kIgnored},
    {"compile_config", kIgnored},
    {"constraints", kRefused, Neutral::kNone, kNotServed},
    {"decoder_start_token_id", kServed},
    {"disable_compile", kIgnored},
    {"diversity_penalty", kRefused, Neutral::kZero, kNotServed},
    {"do_sample", kRefused, Neutral::kZero, "but only requests choose to sample"},
    {"dola_layers", kRefused, Neutral::kNone, kNotServed},
    {"early_stopping", kServed},
    {"encoder_no_repeat_ngram_size", kRefused, Neutral::kZero, kNotServed},
    {"encoder_repetition_penalty", kRefused, Neutral::kOne, kNotServed},
    {"eos_token_id", kServed},
    {"epsilon_cutoff", kWarned, Neutral::kZero, kOnlySampling},
    {"eta_cutoff", kWarned, Neutral::kZero, kOnlySampling},
    {"exponential_decay_length_penalty", kRefused, Neutral::kNone, kNotServed},
    {"force_words_ids", kRefused, Neutral::kNone, kNotServed},
    {"forced_bos_token_id", kRefused, Neutral::kNone, kNotServed},
    {"forced_decoder_ids", kRefused, Neutral::kNone, kNotServed},  // of 4.26 to 4.44
    {"forced_eos_token_id", kServed},
    {"guidance_scale", kRefused, Neutral::kOne, kNotServed},
    {"is_assistant", kIgnored},
    {"length_penalty", kServed},
    {"low_memory", kIgnored},
    {"max_length", kServed},
    {"max_matching_ngram_size", kIgnored},
    {"max_new_tokens", kServed},
    {"max_time", kWarned, Neutral::kNone, "but a request's deadline bounds its time"},
    {"min_length", kServed},
    {"min_new_tokens", kServed},
    {"min_p", kWarned, Neutral::kZero, kOnlySampling},
    {"no_repeat_ngram_size", kServed},
    {"num_assistant_tokens", kIgnored},
    {"num_assistant_tokens_schedule", kIgnored},
    {"num_beam_groups", kRefused, Neutral::kOne, kNotServed},
    {"num_beams", kServed},
    {"num_return_sequences", kWarned, Neutral::kOne, "but a request's n_best says how many come back"},
    {"output_attentions", kIgnored},
    {"output_hidden_states", kIgnored},
    {"output_logits", kIgnored},
    {"output_scores", kIgnored},
    {"pad_token_id", kIgnored},  // config.json's is read
    {"penalty_alpha", kRefused, Neutral::kZero, kNotServed},
    {"prefill_chunk_size", kIgnored},
    {"prompt_lookup_num_tokens", kIgnored},
    {"remove_invalid_values", kIgnored},  // weights that are not finite do not load
    {"renormalize_logits", kServed},
    {"repetition_penalty", kRefused, Neutral::kOne, kNotServed},
    {"return_dict_in_generate", kIgnored},
    {"return_legacy_cache", kIgnored},
    {"sequence_bias", kRefused, Neutral::kNone, kNotServed},
    {"stop_strings", kRefused, Neutral::kNone, kNotServed},
    {"suppress_tokens", kServed},
    {"target_lookbehind", kIgnored},
    {"temperature", kWarned, Neutral::kOne, kOnlySampling},
    {"token_healing", kRefused, Neutral::kZero, kNotServed},
    {"top_k", kWarned, Neutral::kFifty, kOnlySampling},
    {"top_p", kWarned, Neutral::kOne, kOnlySampling},
    {"transformers_version", kIgnored},
    {"typical_p", kWarned, Neutral::kOne, kOnlySampling},
    {"use_cache", kIgnored},
    {"watermarking_config", kRefused, Neutral::kNone, kNotServed},
};

bool IsNeutral(const nlohmann::json& value, NeutralValue neutral) {
  if (value.is_null() || (value.is_structured() && value.empty())) return true;
  switch (neutral) {
    case NeutralValue::kNone:
      return false;
    case NeutralValue::kZero:
      return value == 0 || value == false;
    case NeutralValue::kOne:
      return value == 1;
    case NeutralValue::kFifty:
      return value == 50;
  }
  return false;
}

}  // namespace

absl::Span<const GenerationField> GenerationFields() { return kFields; }

absl::Status CheckGenerationFields(const JsonFields& fields, bool only_generation, std::vector<std::string>& warnings,
                                   absl::Span<const absl::string_view> served) {
  for (const auto& [name, value] : fields.object().items()) {
    const auto field = std::find_if(std::begin(kFields), std::end(kFields),
                                    [&known = name](const GenerationField& one) { return one.name == known; });
    const auto message = [&, &shown = name](absl::string_view what) {
      return absl::StrCat(fields.path(), ": ", shown, " is ", fields.Shown(shown), ", ", what);
    };
    if (field == std::end(kFields)) {
      if (only_generation && !value.is_null()) warnings.push_back(message("which is no setting that Heed knows"));
      continue;
    }
    if (std::find(served.begin(), served.end(), name) != served.end()) continue;
    const bool is_said = field->treatment == kRefused || field->treatment == kWarned;
    if (!is_said || IsNeutral(value, field->neutral)) continue;
    if (field->treatment == kRefused) return absl::UnimplementedError(message(field->what));
    warnings.push_back(message(field->what));
  }
  return absl::OkStatus();
}

}  // namespace heed
