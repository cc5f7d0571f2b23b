// SPDX-License-Identifier: Apache-2.0
#include "client/lib/call_with_retry.h"

#include <optional>
#include <random>

#include "client/lib/pause.h"

namespace heed::client {

using SteadyClock = std::chrono::steady_clock;

grpc::Status CallWithRetry(const CallOptions& options, Repeat repeat,
                           const std::function<grpc::Status(grpc::ClientContext& context)>& call) {
  return CallWithRetry(options, repeat, [&call](grpc::ClientContext& context, Repeat&) { return call(context); });
}

grpc::Status CallWithRetry(const CallOptions& options, Repeat repeat,
                           const std::function<grpc::Status(grpc::ClientContext& context, Repeat& repeat)>& call) {
  const auto deadline = std::chrono::system_clock::now() + options.deadline;
  const bool limited = options.deadline.count() > 0;
  Backoff backoff(options.retry, std::random_device{}());
  std::optional<SteadyClock::time_point> first_failure;
  while (true) {
    grpc::ClientContext context;
    if (limited) context.set_deadline(deadline);
    grpc::Status status;
    {
      const std::stop_callback cancel(options.stop, [&context] { context.TryCancel(); });
      status = call(context, repeat);
    }
    if (status.ok() || options.stop.stop_requested()) return status;
    const SteadyClock::time_point now = SteadyClock::now();
    if (!first_failure) first_failure = now;
    const auto since_first = std::chrono::duration_cast<std::chrono::milliseconds>(now - *first_failure);
    const auto delay = backoff.Next(status, repeat, since_first, RetryHint(context));
    if (!delay || (limited && std::chrono::system_clock::now() + *delay >= deadline)) return status;
    if (!Pause(*delay, options.stop)) return grpc::Status(grpc::StatusCode::CANCELLED, "interrupted");
  }
}

}  // namespace heed::client
