// SPDX-License-Identifier: Apache-2.0
// The one place where gRPC's statuses become HTTP's.
#pragma once

#include <string>

#include "grpcpp/support/status.h"
#include "server/http/http_exchange.h"

namespace heed {

// As the Connect protocol has it: 400 for INVALID_ARGUMENT, 429 for RESOURCE_EXHAUSTED, 503 for UNAVAILABLE, 499 for
// CANCELLED, 504 for DEADLINE_EXCEEDED ...
unsigned HttpStatusOf(grpc::StatusCode code);

// "invalid_argument".
std::string ConnectCodeOf(grpc::StatusCode code);

// {"code":"invalid_argument","message":"...","details":[{"type":"google.rpc.BadRequest","value":BASE64,"debug":{...}}]}
std::string ErrorJson(const grpc::Status& status);

// The whole answer of a call that failed: ErrorJson, Retry-After where another try is worth it, WWW-Authenticate where
// a token is asked for.
HttpAnswer ErrorAnswer(const grpc::Status& status);

// Retry-After and WWW-Authenticate alone, for APIs whose errors look otherwise.
void AddErrorHeaders(const grpc::Status& status, HttpAnswer& answer);

}  // namespace heed
