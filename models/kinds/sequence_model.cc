// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/sequence_model.h"

#include <utility>

#include "base/status_macros.h"
#include "models/kinds/probe.h"

namespace heed {

absl::Status SequenceModel::Probe(Context& context) const {
  SequenceRequest request;
  request.width = input_width();
  request.values.assign(static_cast<size_t>(2 * request.width), 1.0f);
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<SequenceTask> task, Start(std::move(request)));
  HEED_RETURN_IF_ERROR(RunToEnd(*this, *task, context));
  return CheckFinite(task->result().values, "outputs");
}

}  // namespace heed
