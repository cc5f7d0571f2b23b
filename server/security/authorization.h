// SPDX-License-Identifier: Apache-2.0
// Who may call which method: the methods' rights, the holders of tokens and their limits, and whether this server can
// be managed at all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/security/caller.h"
#include "server/security/token_budgets.h"
#include "server/security/tokens.h"
#include "server/telemetry/metrics.h"

namespace heed {

enum class Right {
  kOpen,    // nobody is asked for a token
  kAny,     // whoever holds a token: what the server is and has
  kInfer,   // what computes
  kManage,  // what changes the server for others; refused altogether without --management
};

// The right that the method "/package.Service/Method" needs, as HTTP/2 names it. Our own services say it as an option
// of their methods (heed/v1/annotations.proto), which is read from the descriptor; of others there is a table. None:
// there is no such method, or it was given no right.
std::optional<Right> RightOf(absl::string_view path);

// Thread-safe.
class Authorization {
 public:
  // `tokens`: null: everybody may do everything that this server does. `management`: whether that is to be managed,
  // too. `metrics` outlives it and counts what is refused.
  Authorization(std::unique_ptr<TokenFile> tokens, bool management, Metrics& metrics)
      : tokens_(std::move(tokens)), management_(management), metrics_(metrics) {}

  bool asks_for_tokens() const { return tokens_ != nullptr; }
  bool management() const { return management_; }

  // May the method be called by who sends this `authorization` header (nothing: none)? UNAUTHENTICATED: no token, or
  // nobody's. PERMISSION_DENIED: its holder lacks the right, by both names; or management is off, whoever asks. A
  // method that has no right takes the right to manage where there are tokens, and is else gRPC's to refuse.
  absl::Status Check(absl::string_view path, std::optional<absl::string_view> authorization, TimePoint now) const;
  // The name of who holds the token of this `authorization` header. Empty: nobody's, or nobody is asked for one.
  std::string HolderOf(absl::string_view authorization, TimePoint now) const;

  // Who calls a method that needs `right` (nothing: it has none) with this `authorization` header. Null: nobody is
  // asked for a token; or the method needs none, and none of the file was sent. UNAUTHENTICATED: it needs one. Requests
  // count for the holder's limits where the method needs the right to infer.
  absl::StatusOr<std::shared_ptr<const Caller>> CallerOf(std::optional<Right> right,
                                                         std::optional<absl::string_view> authorization,
                                                         TimePoint now) const EXCLUDES(mutex_);

 private:
  friend class Caller;

  absl::Status Decide(absl::string_view path, std::optional<absl::string_view> authorization, TimePoint now) const;

  // Caller's.
  absl::Status CheckModel(const TokenHolder& holder, absl::string_view model) const;
  absl::Status Take(const TokenHolder& holder, const TokenUse& use, TimePoint now) const EXCLUDES(mutex_);
  void GiveBack(const TokenHolder& holder, const TokenUse& use) const EXCLUDES(mutex_);
  absl::Status CheckRoom(const TokenHolder& holder, TimePoint now) const EXCLUDES(mutex_);
  absl::Status CountRefusal(absl::Status status) const;

  const std::unique_ptr<TokenFile> tokens_;
  const bool management_;
  Metrics& metrics_;

  mutable Mutex mutex_;
  mutable TokenBudgets budgets_ GUARDED_BY(mutex_);  // of the holders of budgets_of_; they go on when the file changes
  mutable std::shared_ptr<const Tokens> budgets_of_ GUARDED_BY(mutex_);
};

}  // namespace heed
