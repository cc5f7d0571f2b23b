// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/status.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// Messages travel in headers, of which clients take 8 KiB together. Each byte of the message that is no plain ASCII
// counts three there; the details repeat it in base64, and are cut more.
constexpr size_t kLongestMessage = 1536;
constexpr size_t kLongestDetail = 512;

// `result` with one more detail.
grpc::Status WithDetail(const grpc::Status& result, const google::protobuf::Message& detail) {
  google::rpc::Status details;
  if (!details.ParseFromString(result.error_details())) details.Clear();
  details.set_code(result.error_code());
  details.set_message(Excerpt(result.error_message(), kLongestDetail));
  details.add_details()->PackFrom(detail);
  return grpc::Status(result.error_code(), result.error_message(), details.SerializeAsString());
}

grpc::Status WithRetryInfo(const grpc::Status& result, std::chrono::milliseconds delay) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(delay.count() / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay.count() % 1000) * 1'000'000);
  return WithDetail(result, info);
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  grpc::Status result(static_cast<grpc::StatusCode>(status.raw_code()), Excerpt(status.message(), kLongestMessage));
  if (const auto delay = RetryDelayOf(status); delay.count() > 0) return WithRetryInfo(result, delay);
  const std::string field = FieldOf(status);
  if (!absl::IsInvalidArgument(status) || field.empty()) return result;
  google::rpc::BadRequest bad_request;
  google::rpc::BadRequest::FieldViolation& violation = *bad_request.add_field_violations();
  violation.set_field(Excerpt(field, kLongestDetail));
  violation.set_description(Excerpt(FieldDescription(status), kLongestDetail));
  return WithDetail(result, bad_request);
}

std::string_view CodeName(grpc::StatusCode code) {
  static constexpr std::string_view kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const size_t index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

void AddRetryHint(const absl::Status& status, grpc::Status& result, grpc::CallbackServerContext& context) {
  std::chrono::milliseconds delay = RetryDelayOf(status);
  if (delay.count() == 0 && absl::IsResourceExhausted(status) && !IsFinal(status)) {
    delay = kDefaultRetryDelay;
    result = WithRetryInfo(result, delay);
  }
  if (delay.count() > 0) context.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(delay.count()));
}

std::chrono::milliseconds RetryDelayOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) return {};
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::RetryInfo info;
    if (!detail.UnpackTo(&info)) continue;
    return std::chrono::milliseconds(info.retry_delay().seconds() * 1000 + info.retry_delay().nanos() / 1'000'000);
  }
  return {};
}

}  // namespace heed
