// SPDX-License-Identifier: Apache-2.0
// When a failed call is worth another try, and how long to wait before it: the one policy of all the client's calls. No
// threads, no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace heed::client {

struct RetryPolicy {
  std::chrono::milliseconds first_delay{20};
  std::chrono::milliseconds max_delay{2000};  // each delay is twice the one before it, up to this one
  // An UNAVAILABLE server (not up yet, restarting, its model loading) is tried again for so long from the first failure
  // on; then the error is final.
  std::chrono::milliseconds unavailable_for{30000};
};

// The delays of one call. Not thread-safe.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, uint64_t seed) : policy_(policy), random_(seed) {}

  // How long to wait before the next try of a call that failed with `status` `since_first_failure` ago; none: the error
  // is final. RESOURCE_EXHAUSTED is tried again only where the server said after how long (`hint`), and then until the
  // call's deadline: a full queue ends by itself. Without that it is about what will never fit: a message, a session, a
  // graph. The delay doubles from try to try, with up to a half taken off at random so that clients that were refused
  // together do not come back together, and is never below the hint. A negative hint says not to come back.
  std::optional<std::chrono::milliseconds> Next(const grpc::Status& status,
                                                std::chrono::milliseconds since_first_failure,
                                                std::optional<std::chrono::milliseconds> hint);

 private:
  RetryPolicy policy_;
  std::minstd_rand random_;
  int tries_ = 0;
};

// What the server asks for in the trailing metadata of a finished call, grpc-retry-pushback-ms; none if nothing. As
// gRPC's own retries have it, what is no number says not to come back: a negative hint.
std::optional<std::chrono::milliseconds> RetryHint(const grpc::ClientContext& context);

}  // namespace heed::client
