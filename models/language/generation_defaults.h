// SPDX-License-Identifier: Apache-2.0
// How a language model generates unless a request says otherwise, as its directory has it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_fields.h"
#include "models/kinds/language_model.h"

namespace heed {

struct GenerationDefaults {
  GenerateOptions options;  // max_tokens 0: max_length says how many
  int64_t max_length = 0;   // of prompt and text together; 0: the directory does not say
  std::vector<std::string> warnings;
};

// Reads generation_config.json, or config.json where there is none; then config.json's
// task_specific_params.text-generation, which transformers' pipeline puts above both. INVALID_ARGUMENT names the file,
// the field and its value; UNIMPLEMENTED a setting that changes texts and is not served.
absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const std::string& directory, const JsonFields& config);

}  // namespace heed
