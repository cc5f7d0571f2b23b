// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/ntm.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json_fields.h"
#include "base/status_macros.h"
#include "files/checkpoint.h"
#include "files/fingerprint.h"
#include "models/kinds/served_precision.h"
#include "models/ntm/ntm_config.h"
#include "models/ntm/ntm_question_answerer.h"
#include "models/ntm/ntm_sequence_model.h"

namespace heed {

absl::StatusOr<std::shared_ptr<const Model>> LoadNtm(const std::string& directory, const std::string& name,
                                                     Precision precision) {
  const auto path = [&](const char* file) { return absl::StrCat(directory, "/", file); };
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(path("config.json")));
  HEED_ASSIGN_OR_RETURN(NtmConfig config, ParseNtmConfig(std::move(fields)));
  ModelSpec spec;
  spec.name = name;
  spec.architecture = "ntm";
  NoteOnlyF32(precision, "a Neural Turing Machine", spec);
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(directory));
  if (config.task == NtmTask::kSequences) return NtmSequenceModel::Load(checkpoint, std::move(config), std::move(spec));
  std::vector<std::string> files = {path("config.json"), path("vocab.json")};
  files.insert(files.end(), checkpoint.files().begin(), checkpoint.files().end());
  HEED_ASSIGN_OR_RETURN(spec.fingerprint, FingerprintOfFiles(files));
  return NtmQuestionAnswerer::Load(directory, checkpoint, std::move(config), std::move(spec));
}

}  // namespace heed
