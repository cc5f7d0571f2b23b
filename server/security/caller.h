// SPDX-License-Identifier: Apache-2.0
// Who sends a request: the holder of its token, the models that holder may use, and what it has left of its limits.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/name_patterns.h"
#include "server/security/token_budgets.h"
#include "server/security/tokens.h"

namespace heed {

class Authorization;

// Immutable; what it takes is the Authorization's, which outlives it. Thread-safe.
class Caller {
 public:
  // `holder`: one of `tokens`. `counts`: what it sends counts for its limits.
  Caller(const Authorization& authorization, std::shared_ptr<const Tokens> tokens, const TokenHolder& holder,
         bool counts)
      : authorization_(authorization), tokens_(std::move(tokens)), holder_(holder), counts_(counts) {}

  const std::string& name() const { return holder_.name; }
  // No pattern: all.
  const NamePatterns& models() const { return holder_.limits.models; }
  // PERMISSION_DENIED: it is none of the caller's. The message does not say whether the model exists.
  absl::Status CheckModel(absl::string_view model) const;

  // As TokenBudgets. OK at once if nothing of the call counts. Refusals are counted, and so is what was taken.
  absl::Status Take(const TokenUse& use) const;
  // Puts back what was taken, if a request ends with `status` because there is no room or no model for it, before any
  // work was done.
  void GiveBackIfRefused(const TokenUse& use, const absl::Status& status) const;
  // Whether Take could take one request now. To be asked before a body is read.
  absl::Status CheckRoom() const;

 private:
  const Authorization& authorization_;
  const std::shared_ptr<const Tokens> tokens_;
  const TokenHolder& holder_;
  const bool counts_;
};

}  // namespace heed
