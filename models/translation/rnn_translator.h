// SPDX-License-Identifier: Apache-2.0
// A recurrent translator's directory: docs/rnn-seq2seq.md.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/linear/precision.h"
#include "models/kinds/translator.h"

namespace heed {

// Loads the directory `path` as the Translator `name`; `precision`: of its linear layers, as LoadModel's. Errors name
// the file, and the field or tensor in it, and both values.
absl::StatusOr<std::shared_ptr<const Translator>> LoadRnnTranslator(const std::string& path, const std::string& name,
                                                                    Precision precision = Precision::kF32);

}  // namespace heed
