// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/status.h"

#include <chrono>
#include <string>

#include "base/invalid_argument.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

TEST(ToGrpcStatusTest, LongMessagesAreCut) {
  const std::string whole(1536, 'a');
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError(whole)).error_message(), whole);
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError(whole + "b")).error_message(), whole + "...");
}

TEST(ToGrpcStatusTest, AWrongFieldIsNamedInTheDetails) {
  const grpc::Status status = ToGrpcStatus(InvalidField("options.n_best", 9, ", must be 1 to beam_size 4"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "options.n_best: 9, must be 1 to beam_size 4");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), status.error_code());
  EXPECT_EQ(details.message(), status.error_message());
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.BadRequest");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  ASSERT_EQ(bad_request.field_violations_size(), 1);
  EXPECT_EQ(bad_request.field_violations(0).field(), "options.n_best");
  EXPECT_EQ(bad_request.field_violations(0).description(), "9, must be 1 to beam_size 4");
}

TEST(ToGrpcStatusTest, ADelayIsInTheDetails) {
  const absl::Status refused = absl::ResourceExhaustedError("used up");
  const grpc::Status status = ToGrpcStatus(WithExactRetryDelay(refused, std::chrono::microseconds(41'234'567)));
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  google::rpc::RetryInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.retry_delay().seconds(), 41);
  EXPECT_EQ(info.retry_delay().nanos(), 235'000'000) << "rounded up";
  EXPECT_EQ(ToGrpcStatus(refused).error_details(), "");
}

TEST(ToGrpcStatusTest, OnlyAnInvalidArgumentAboutAFieldAndADelayHaveDetails) {
  EXPECT_EQ(ToGrpcStatus(absl::InvalidArgumentError("nothing but a message")).error_details(), "");
  EXPECT_EQ(ToGrpcStatus(WithField(absl::NotFoundError("model: none"), "model")).error_details(), "");
  EXPECT_EQ(ToGrpcStatus(absl::OkStatus()).error_details(), "");
}

// Clients take 8 KiB of headers. Bytes beyond ASCII count three in the message, and the details are sent as base64.
TEST(ToGrpcStatusTest, LongMessagesFitIntoHeaders) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "\xc3\xa9";
  const grpc::Status status = ToGrpcStatus(InvalidField(text, text));
  EXPECT_LE(3 * status.error_message().size() + 4 * status.error_details().size() / 3, size_t{7} << 10);
}

}  // namespace
}  // namespace heed
