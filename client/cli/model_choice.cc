// SPDX-License-Identifier: Apache-2.0
#include "client/cli/model_choice.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/visible_text.h"
#include "client/lib/model_kind.h"

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

namespace {

absl::StatusOr<std::string> CheckWanted(const v1::ModelInfo& model, const std::string& kind) {
  const std::string named = absl::StrCat("model '", model.name(), "' ");
  if (model.state() == v1::MODEL_STATE_UNLOADED) return absl::FailedPreconditionError(named + "is not loaded");
  if (model.state() == v1::MODEL_STATE_UNAVAILABLE) {
    return absl::FailedPreconditionError(absl::StrCat(named, "is unavailable: ", VisibleLine(model.reason())));
  }
  if (const std::string is = KindName(model.kind()); !is.empty() && is != kind) {
    return absl::NotFoundError(absl::StrCat(named, "is of kind ", is, ", not ", kind));
  }
  if (model.state() == v1::MODEL_STATE_LOADING) return absl::UnavailableError(named + "is loading");
  return model.name();
}

}  // namespace

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
  std::vector<std::string> loading;  // of this kind, or of one that is not known yet
  for (const auto& [name, info] : by_name) {
    const v1::ModelInfo& model = *info;
    if (!wanted.empty() && name == wanted) return CheckWanted(model, kind);
    switch (model.state()) {
      case v1::MODEL_STATE_UNLOADED:
        break;
      case v1::MODEL_STATE_UNAVAILABLE:
        broken.push_back(absl::StrCat("\n  ", VisibleLine(absl::StrCat(name, ": ", model.reason()))));
        break;
      case v1::MODEL_STATE_LOADING:
        if (model.kind() == v1::MODEL_KIND_UNSPECIFIED || KindName(model.kind()) == kind) loading.push_back(name);
        break;
      default:
        if (KindName(model.kind()) == kind) usable.push_back(name);
        break;
    }
  }
  if (!wanted.empty()) {
    return absl::NotFoundError(absl::StrCat("no model named '", wanted, "'; the server's ", kind,
                                            "s: ", usable.empty() ? "none" : absl::StrJoin(usable, ", ")));
  }
  if (usable.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("the server has ", usable.size(), " ", kind,
                                                   "s; name one with --model: ", absl::StrJoin(usable, ", ")));
  }
  // Whichever is chosen now could be one of several in a moment.
  if (!loading.empty()) {
    constexpr size_t kShown = 3;
    const bool one = loading.size() == 1;
    const std::string rest = loading.size() > kShown ? absl::StrCat(" and ", loading.size() - kShown, " more") : "";
    loading.resize(std::min(loading.size(), kShown));
    return absl::UnavailableError(absl::StrCat(absl::StrJoin(loading, ", "), rest, one ? " is" : " are", " loading"));
  }
  if (usable.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the server has no ", kind, " that serves", broken.empty() ? "" : "; unavailable:", absl::StrJoin(broken, "")));
  }
  return usable.front();
}

}  // namespace heed::client
