// SPDX-License-Identifier: Apache-2.0
#include "server/session_calls/exchange_call.h"

#include <utility>

namespace heed {

void ExchangeCall::Run(ExchangeRequest request, absl::StatusOr<std::unique_ptr<SessionWork>> work) {
  const absl::StatusOr<Priority> priority = PriorityOfMetadata();
  if (!priority.ok()) return Finish(End(priority.status()));
  if (!work.ok()) return Finish(End(work.status()));
  request.deadline = deadline();
  request.priority = *priority;
  request.trace = trace();
  request.caller = caller();
  request.use = ReleaseUse();
  exchange_ = std::make_shared<SessionExchange>(
      parts_, std::move(request), *std::move(work), [this](const absl::Status& status) {
        if (status.ok()) response_.GetReflection()->Swap(&response_, &exchange_->work().response());
        Finish(End(status));
      });
  // The call may end, and be gone, before Run returns.
  const auto exchange = exchange_;
  exchange->Run();
}

}  // namespace heed
