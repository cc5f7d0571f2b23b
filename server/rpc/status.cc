#include "server/rpc/status.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// Messages travel in a header, of which clients take 8 KiB, and each byte that is no plain ASCII counts three there.
constexpr size_t kLongestMessage = 2048;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()), Excerpt(status.message(), kLongestMessage));
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
  if (delay.count() == 0 && absl::IsResourceExhausted(status) && !IsFinal(status)) delay = kDefaultRetryDelay;
  if (delay.count() == 0) return;
  context.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(delay.count()));
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(delay.count() / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay.count() % 1000) * 1'000'000);
  google::rpc::Status details;
  details.set_code(result.error_code());
  details.set_message(result.error_message());
  details.add_details()->PackFrom(info);
  result = grpc::Status(result.error_code(), result.error_message(), details.SerializeAsString());
}

}  // namespace heed
