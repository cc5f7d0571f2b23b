// SPDX-License-Identifier: Apache-2.0
// A blocking call that is tried again while that makes sense.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "client/lib/retry.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace heed::client {

struct CallOptions {
  std::chrono::milliseconds deadline{0};  // for a call with all its tries; 0: none
  RetryPolicy retry;
  std::stop_token stop;  // ends a running call with CANCELLED
};

// Runs `call` with a fresh context until it succeeds or its error is final, as Backoff says. `call` returns its status,
// and sets `repeat` to kNever once it has given out a part of an answer.
grpc::Status CallWithRetry(const CallOptions& options, Repeat repeat,
                           const std::function<grpc::Status(grpc::ClientContext& context, Repeat& repeat)>& call);
// The same for a call with one answer.
grpc::Status CallWithRetry(const CallOptions& options, Repeat repeat,
                           const std::function<grpc::Status(grpc::ClientContext& context)>& call);

}  // namespace heed::client
