// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/api_answer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/gateway/method_calls.h"
#include "server/rpc/status.h"

namespace heed {

std::string JsonLine(const nlohmann::ordered_json& json) {
  return absl::StrCat(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), "\n");
}

unsigned ApiStatusOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return 200;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNIMPLEMENTED:
      return 400;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return 403;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return RetryDelayOf(status).count() > 0 ? 429 : 413;
    case grpc::StatusCode::UNAVAILABLE:
      return 503;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return 504;
    default:
      return 500;
  }
}

std::string WithApiField(absl::string_view message, std::initializer_list<FieldName> names) {
  for (const auto& [ours, theirs] : names) {
    absl::string_view rest = message;
    if (!absl::ConsumePrefix(&rest, ours)) continue;
    if (absl::StartsWith(rest, ":") || absl::StartsWith(rest, "[")) return absl::StrCat(theirs, rest);
  }
  return std::string(message);
}

}  // namespace heed
