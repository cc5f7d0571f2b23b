// SPDX-License-Identifier: Apache-2.0
#include "server/registry/readiness_page.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/one_line.h"

namespace heed {

std::vector<std::string> ReasonsNotToBeReady(const ReadinessInputs& inputs, absl::Span<const ModelStatus> models) {
  std::vector<std::string> reasons;
  if (inputs.shutting_down) reasons.push_back("the server is shutting down");
  if (!inputs.loaded) reasons.push_back("models or stored graphs are still being loaded for the first time");
  if (!inputs.not_accepting.ok()) reasons.push_back(std::string(inputs.not_accepting.message()));
  std::set<std::string> serving, missing;
  for (const ModelStatus& model : models) {
    if (model.is_default) serving.insert(model.name);
  }
  for (const ModelStatus& model : models) {
    const bool is_wanted = model.state != ModelState::kUnloaded;
    if (is_wanted && !serving.contains(model.name)) missing.insert(model.name);
  }
  if (serving.empty() && inputs.loaded) {
    reasons.push_back(models.empty() ? "there is no model" : "no model serves");
  } else if (inputs.needs_all && inputs.loaded && !missing.empty()) {
    reasons.push_back(absl::StrCat("--ready_when=all, and these models do not serve: ", absl::StrJoin(missing, ", ")));
  }
  return reasons;
}

std::string ReadinessText(absl::Span<const std::string> reasons, absl::Span<const ModelStatus> models) {
  std::string text = reasons.empty() ? "ready\n" : "not ready\n";
  for (const std::string& reason : reasons) absl::StrAppend(&text, OneLine(reason), "\n");
  for (const ModelStatus& model : models) {
    const std::string name = OneLine(model.name);
    if (model.state == ModelState::kLoading) absl::StrAppend(&text, name, " ", model.version, ": is loading\n");
    if (model.state == ModelState::kUnavailable) {
      absl::StrAppend(&text, name, " ", model.version, ": is unavailable: ", OneLine(model.reason.message()), "\n");
    }
  }
  return text;
}

}  // namespace heed
