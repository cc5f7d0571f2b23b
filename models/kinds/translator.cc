// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/translator.h"

#include "base/status_macros.h"
#include "models/kinds/probe.h"

namespace heed {

absl::Status Translator::Probe(Context& context) const {
  TranslateOptions options = default_options();
  options.max_tokens = 4;
  options.min_tokens = 0;
  HEED_ASSIGN_OR_RETURN(const StartedTranslation started, Start({"word"}, options));
  for (const auto& task : started.tasks) {
    HEED_RETURN_IF_ERROR(RunToEnd(*this, *task, context));
    if (task->result().hypotheses.empty()) return absl::InternalError("gave no translation");
    const float score[] = {task->result().hypotheses[0].score};
    HEED_RETURN_IF_ERROR(CheckFinite(score, "score"));
  }
  return absl::OkStatus();
}

}  // namespace heed
