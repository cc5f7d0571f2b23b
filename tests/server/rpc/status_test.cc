#include "server/rpc/status.h"

#include <string>

#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(ToGrpcStatusTest, LongMessagesAreCut) {
  const std::string whole(2048, 'a');
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError(whole)).error_message(), whole);
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError(whole + "b")).error_message(), whole + "...");
}

}  // namespace
}  // namespace heed
