// SPDX-License-Identifier: Apache-2.0
#include "server/security/caller.h"

#include "server/scheduling/refusal.h"
#include "server/security/authorization.h"

namespace heed {

absl::Status Caller::CheckModel(absl::string_view model) const { return authorization_.CheckModel(holder_, model); }

absl::Status Caller::Take(const TokenUse& use) const {
  return counts_ ? authorization_.Take(holder_, use, Clock::now()) : absl::OkStatus();
}

void Caller::GiveBackIfRefused(const TokenUse& use, const absl::Status& status) const {
  const bool is_refused = absl::IsUnavailable(status) || (absl::IsResourceExhausted(status) && !IsFinal(status));
  if (counts_ && is_refused) authorization_.GiveBack(holder_, use);
}

absl::Status Caller::CheckRoom() const {
  return counts_ ? authorization_.CheckRoom(holder_, Clock::now()) : absl::OkStatus();
}

}  // namespace heed
