// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_limits.h"

#include "absl/strings/str_cat.h"
#include "models/kinds/language_model.h"

namespace heed {

int64_t HeldUnits(const StatefulModel& model, const State& state) {
  if (model.kind() == ModelKind::kLanguageModel) return ModelAs<LanguageModel>(model).MemoryTokens(state);
  return state.units();
}

absl::Status CheckHeldUnits(absl::string_view field, const StatefulModel& model, int64_t units,
                            const SessionOptions& options) {
  const bool counts_tokens = model.kind() == ModelKind::kLanguageModel;
  const int64_t most = counts_tokens ? options.max_tokens : options.max_facts;
  if (units <= most) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(field, ": the session would hold ", units,
                   counts_tokens ? " tokens, at most --session_tokens=" : " facts, at most --session_facts=", most));
}

}  // namespace heed
