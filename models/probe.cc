// SPDX-License-Identifier: Apache-2.0
#include "models/probe.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/architectures.h"

namespace heed {

absl::Status Probe(const Model& model, Context& context) {
  const absl::Status status = model.Probe(context);
  if (status.ok()) return status;
  return absl::InternalError(absl::StrCat(model.spec().name, ": a first input failed: ", status.message()));
}

absl::StatusOr<std::shared_ptr<const Model>> LoadProbedModel(const std::string& path, const std::string& name,
                                                             Precision precision) {
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, LoadModel(path, name, precision));
  Context context(1);
  HEED_RETURN_IF_ERROR(Probe(*model, context));
  return model;
}

}  // namespace heed
