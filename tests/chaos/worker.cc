// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/worker.h"

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/lib/channel.h"

namespace heed::chaos {
namespace {

constexpr double kShortDeadlines = 0.1;  // of requests that may expire
constexpr std::chrono::milliseconds kPauseWhileUnavailable(20);
constexpr char kPushback[] = "grpc-retry-pushback-ms";

}  // namespace

Worker::Worker(World& world, uint64_t seed) : world_(world), random_(seed) {}

grpc::Status Worker::Call(absl::string_view method, const Expected& expected,
                          absl::FunctionRef<grpc::Status(grpc::ClientContext&)> run) {
  return Call(method, expected, [&run](grpc::ClientContext& context, bool&) { return run(context); });
}

grpc::Status Worker::Call(absl::string_view method, const Expected& expected,
                          absl::FunctionRef<grpc::Status(grpc::ClientContext&, bool&)> run) {
  grpc::ClientContext context;
  const bool expires = expected.may_expire && Chance(kShortDeadlines);
  const std::chrono::milliseconds limit = expires ? std::chrono::milliseconds(Draw(1, 50)) : kLost;
  context.set_deadline(std::chrono::system_clock::now() + limit);
  if (Chance(0.3)) context.AddMetadata("heed-priority", absl::StrCat(Draw(1, 3)));
  const Faults::Moment begun = world_.faults.Now();
  const auto start = std::chrono::steady_clock::now();
  bool cancelled = false;
  world_.ledger.Begin(method);
  grpc::Status status = run(context, cancelled);
  world_.ledger.End(method, status.error_code(), std::chrono::steady_clock::now() - start);

  Judge(method, expected, begun, context, status, expires, cancelled);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) std::this_thread::sleep_for(kPauseWhileUnavailable);
  return status;
}

void Worker::Judge(absl::string_view method, const Expected& expected, const Faults::Moment& begun,
                   const grpc::ClientContext& context, const grpc::Status& status, bool expires, bool cancelled) {
  bool right = status.ok() || expected.codes.contains(status.error_code());
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      right = expires;
      break;
    case grpc::StatusCode::CANCELLED:
      // What reaches a server behind its GOAWAY was never accepted; gRPC calls that so.
      right = right || cancelled || world_.faults.Overlaps(Fault::kServer, begun);
      break;
    case grpc::StatusCode::UNAVAILABLE:
      right = right || world_.faults.Overlaps(Fault::kServer, begun) ||
              (expected.fault.has_value() && world_.faults.Overlaps(*expected.fault, begun));
      break;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      if (right) break;  // it is what the request is for
      right = expected.may_be_full && context.GetServerTrailingMetadata().contains(kPushback);
      if (right) world_.ledger.Count("refusals with a hint");
      break;
    default:
      break;
  }
  Check(right, [&] {
    return absl::StrCat(method, ": ", client::StatusText(status), expires ? " (short deadline)" : "",
                        cancelled ? " (cancelled)" : "");
  });
}

bool IsUncertain(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         status.error_code() == grpc::StatusCode::CANCELLED || status.error_code() == grpc::StatusCode::UNAVAILABLE;
}

void Pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace heed::chaos
