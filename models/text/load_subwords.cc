// SPDX-License-Identifier: Apache-2.0
#include "models/text/load_subwords.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"

namespace heed {

absl::StatusOr<std::unique_ptr<const Subwords>> LoadSubwords(const std::string& path,
                                                             const std::vector<std::string>& vocabulary) {
  HEED_RETURN_IF_ERROR(CheckReadable(path));
  std::string error;
  std::unique_ptr<const Subwords> subwords = Subwords::Load(path, error, vocabulary);
  if (subwords == nullptr) return absl::InvalidArgumentError(absl::StrCat(path, ": ", error));
  return subwords;
}

}  // namespace heed
