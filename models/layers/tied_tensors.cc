// SPDX-License-Identifier: Apache-2.0
#include "models/layers/tied_tensors.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "files/tensor_values.h"

namespace heed {

absl::StatusOr<const StoredTensor*> ReadTied(const WeightReader& scope, const std::vector<TiedName>& names,
                                             const std::vector<int64_t>& shape) {
  const StoredTensor* taken = nullptr;
  const char* taken_name = nullptr;
  for (const TiedName& tied : names) {
    if (!scope.Has(tied.name)) continue;
    HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, scope.Get(tied.name, shape));
    if (taken == nullptr) {
      taken = tensor;
      taken_name = tied.name;
      continue;
    }
    const int64_t at = FirstDifference(*taken, *tensor);
    if (at < 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(scope.PathOf(tied.name), ": tensor '", tied.name, "' is ", tensor->ValueAt(at), " at ",
                     PlaceName(at, tensor->shape), ", but '", taken_name, "', to which config.json ties it, is ",
                     taken->ValueAt(at), "; if it counts, set ", tied.field, " to false, else remove it"));
  }
  return taken != nullptr ? taken : scope.Get(names.front().name, shape);
}

}  // namespace heed
