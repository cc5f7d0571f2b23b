// SPDX-License-Identifier: Apache-2.0
// When a failed call is worth another try, and how long to wait before it. This is the one policy of both clients: the
// Python client (client/python) has the same rules and the same numbers, and docs/errors.md has them. No threads, no
// clock.
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

// Whether a call may run again after a try that failed.
enum class Repeat {
  kAlways,     // it changes nothing, or the server knows it by its request_id
  kIfRefused,  // only if the server says that it did not begin, by asking for a delay
  kNever,      // the caller has seen a part of its answer
};

// The delays of one call. Not thread-safe.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, uint64_t seed) : policy_(policy), random_(seed) {}

  // Returns how long to wait before the next try of a call that failed with `status`, `since_first_failure` after its
  // first failure; none if the error is final. `hint` is the delay that the server asks for; a negative one asks not to
  // come back.
  //
  // - RESOURCE_EXHAUSTED with a hint is tried again until the call's deadline: a full queue ends by itself. Without a
  //   hint it is about what will never fit: a message, a session, a graph.
  // - UNAVAILABLE is tried again for RetryPolicy::unavailable_for: with a hint unless `repeat` is kNever, without one
  //   only if it is kAlways.
  // - Every other error is final.
  //
  // The delay doubles from try to try, with up to a half taken off at random so that clients that were refused together
  // do not come back together. It is never below the hint.
  std::optional<std::chrono::milliseconds> Next(const grpc::Status& status, Repeat repeat,
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
