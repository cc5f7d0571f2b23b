#include "client/model_choice.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace heed::client {

std::string StateName(v1::ModelState state) {
  switch (state) {
    case v1::MODEL_STATE_LOADING:
      return "loading";
    case v1::MODEL_STATE_READY:
      return "ready";
    case v1::MODEL_STATE_UNAVAILABLE:
      return "unavailable";
    default:
      return "unknown";
  }
}

absl::StatusOr<std::string> ChooseModel(const v1::ListModelsResponse& models, const std::string& kind,
                                        const std::string& wanted) {
  std::vector<std::string> usable;
  std::vector<std::string> broken;
  for (const v1::ModelInfo& model : models.models()) {
    const bool serves = model.state() != v1::MODEL_STATE_UNAVAILABLE;
    if (!wanted.empty() && model.name() == wanted) {
      if (!serves) {
        return absl::FailedPreconditionError(absl::StrCat("model '", wanted, "' is unavailable: ", model.reason()));
      }
      if (!model.kind().empty() && model.kind() != kind) {
        return absl::NotFoundError(absl::StrCat("model '", wanted, "' is of kind ", model.kind(), ", not ", kind));
      }
      return wanted;
    }
    if (!serves) {
      broken.push_back(absl::StrCat("\n  ", model.name(), ": ", model.reason()));
    } else if (model.kind() == kind) {
      usable.push_back(model.name());
    }
  }
  if (!wanted.empty()) {
    return absl::NotFoundError(absl::StrCat("no model named '", wanted, "'; the server's ", kind,
                                            "s: ", usable.empty() ? "none" : absl::StrJoin(usable, ", ")));
  }
  if (usable.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the server has no ", kind, " that serves", broken.empty() ? "" : "; unavailable:", absl::StrJoin(broken, "")));
  }
  if (usable.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("the server has ", usable.size(), " ", kind,
                                                   "s; name one with --model: ", absl::StrJoin(usable, ", ")));
  }
  return usable.front();
}

}  // namespace heed::client
