#include "client/model_choice.h"

#include <map>
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
    case v1::MODEL_STATE_UNLOADED:
      return "unloaded";
    default:
      return "unknown";
  }
}

absl::StatusOr<std::string> ChooseModel(const v1::ListModelsResponse& models, const std::string& kind,
                                        const std::string& wanted) {
  std::vector<std::string> usable;
  std::vector<std::string> broken;
  // Of each model one version counts: the one that requests get, or else the one that tells most of why none is there.
  std::map<std::string, const v1::ModelInfo*> by_name;
  const auto rank = [](const v1::ModelInfo& model) {
    if (model.is_default()) return 4;
    if (model.state() == v1::MODEL_STATE_READY) return 3;
    if (model.state() == v1::MODEL_STATE_LOADING) return 2;
    return model.state() == v1::MODEL_STATE_UNLOADED ? 0 : 1;
  };
  for (const v1::ModelInfo& model : models.models()) {
    const v1::ModelInfo*& one = by_name[model.name()];
    if (one == nullptr || rank(model) > rank(*one)) one = &model;
  }
  for (const auto& [name, info] : by_name) {
    const v1::ModelInfo& model = *info;
    const bool unloaded = model.state() == v1::MODEL_STATE_UNLOADED;
    const bool serves = model.state() != v1::MODEL_STATE_UNAVAILABLE && !unloaded;
    if (!wanted.empty() && name == wanted) {
      if (!serves) {
        return absl::FailedPreconditionError(absl::StrCat(
            "model '", wanted, "' is ", unloaded ? "not loaded" : absl::StrCat("unavailable: ", model.reason())));
      }
      if (!model.kind().empty() && model.kind() != kind) {
        return absl::NotFoundError(absl::StrCat("model '", wanted, "' is of kind ", model.kind(), ", not ", kind));
      }
      return wanted;
    }
    if (unloaded) continue;
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
