// SPDX-License-Identifier: Apache-2.0
// The one place where our errors become gRPC's, and where gRPC's are read.
#pragma once

#include <chrono>
#include <string_view>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace heed {

// The same code (their numbers are the same in both) and message, the latter cut after 1.5 KiB. INVALID_ARGUMENT about
// a field (base/invalid_argument.h) also has google.rpc.BadRequest in its details, and one with a delay
// (server/scheduling/refusal.h) google.rpc.RetryInfo.
grpc::Status ToGrpcStatus(const absl::Status& status);

// "INVALID_ARGUMENT": the value of the `code` label and of logs.
std::string_view CodeName(grpc::StatusCode code);

// For a refusal that is worth another try (RESOURCE_EXHAUSTED, or one with a delay): tells clients in how long, in
// `result` as google.rpc.RetryInfo and by the metadata that gRPC's own retries obey (grpc-retry-pushback-ms). `result`:
// of `status`, to Finish with.
void AddRetryHint(const absl::Status& status, grpc::Status& result, grpc::CallbackServerContext& context);

// In how long a refused call is worth another try, as the status' details say; zero: not.
std::chrono::milliseconds RetryDelayOf(const grpc::Status& status);

}  // namespace heed
