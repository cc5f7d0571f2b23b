// SPDX-License-Identifier: Apache-2.0
// The generation settings of Hugging Face's transformers, and what Heed does with each.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/json_fields.h"

namespace heed {

enum class GenerationTreatment {
  kServed,   // models/translation/generation_config.cc reads it
  kIgnored,  // changes no answer: caches, outputs asked of a Python call, ways to compute the same faster
  kWarned,   // changes none as the model is served, though its author may think so: said once when the model is loaded
  kRefused,  // changes translations, and is not served
};

// The value, besides null and empty lists and objects, with which a field does nothing.
enum class NeutralValue { kNone, kZero, kOne, kFifty };  // kZero: false too

struct GenerationField {
  const char* name;
  GenerationTreatment treatment;
  NeutralValue neutral = NeutralValue::kNone;  // of kWarned and kRefused
  const char* what = "";                       // the rest of the message: "<field> is <value>, <what>"
};

// Every field of transformers 4.57's GenerationConfig, and older ones that checkpoints still have. By name.
absl::Span<const GenerationField> GenerationFields();

// Looks at every field of `fields` that is one of these. UNIMPLEMENTED names the first that is refused, with its value;
// messages of the others that are to be known are added to `warnings`. With `only_generation`, as of
// generation_config.json, so are fields that are not in the table.
// The table is that of translators. `served`: fields that another kind reads, which are not looked at here.
absl::Status CheckGenerationFields(const JsonFields& fields, bool only_generation, std::vector<std::string>& warnings,
                                   absl::Span<const absl::string_view> served = {});

}  // namespace heed
