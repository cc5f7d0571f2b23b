#include "server/services/status.h"

#include <string>

#include "server/excerpt.h"

namespace heed {
namespace {

// About a few steps: a queue that is full now has room again as soon as one of its requests is through.
constexpr char kRetryAfterMs[] = "100";

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

void AddRetryHint(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (absl::IsResourceExhausted(status)) context.AddTrailingMetadata("grpc-retry-pushback-ms", kRetryAfterMs);
}

}  // namespace heed
