#include "client/retry.h"

#include <gtest/gtest.h>

#include <set>

namespace heed::client {
namespace {

using std::chrono::milliseconds;

constexpr RetryPolicy kPolicy{
    .first_delay = milliseconds(20), .max_delay = milliseconds(100), .unavailable_for = milliseconds(1000)};
const grpc::Status kFull(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full");
const grpc::Status kGone(grpc::StatusCode::UNAVAILABLE, "connection refused");

TEST(Backoff, DelaysDoubleUpToTheLargestWithUpToHalfTakenOff) {
  for (uint64_t seed = 1; seed < 50; ++seed) {
    Backoff backoff(kPolicy, seed);
    for (const int64_t full : {20, 40, 80, 100, 100, 100}) {
      const auto delay = backoff.Next(kFull, milliseconds(0), milliseconds(0));
      ASSERT_TRUE(delay.has_value());
      EXPECT_GE(delay->count(), full / 2);
      EXPECT_LE(delay->count(), full);
    }
  }
}

TEST(Backoff, ClientsThatFailTogetherComeBackApart) {
  std::set<int64_t> delays;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    delays.insert(Backoff({.first_delay = milliseconds(1000)}, seed * 7919).Next(kFull, {}, {})->count());
  }
  EXPECT_GT(delays.size(), 50u);
}

TEST(Backoff, NeverBelowWhatTheServerAsksFor) {
  Backoff backoff(kPolicy, 1);
  EXPECT_EQ(backoff.Next(kFull, milliseconds(0), milliseconds(700)), milliseconds(700));
}

TEST(Backoff, FullQueueIsRetriedWithoutLimitAndAMissingServerForAWhile) {
  Backoff backoff(kPolicy, 1);
  EXPECT_TRUE(backoff.Next(kFull, std::chrono::hours(10), milliseconds(0)).has_value());
  EXPECT_TRUE(backoff.Next(kGone, milliseconds(999), milliseconds(0)).has_value());
  EXPECT_FALSE(backoff.Next(kGone, milliseconds(1000), milliseconds(0)).has_value());
}

TEST(Backoff, OtherErrorsAreFinal) {
  for (const auto code : {grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::NOT_FOUND,
                          grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::INTERNAL}) {
    EXPECT_FALSE(Backoff(kPolicy, 1).Next(grpc::Status(code, ""), milliseconds(0), milliseconds(0)).has_value());
  }
  const grpc::Status large(grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)");
  EXPECT_FALSE(Backoff(kPolicy, 1).Next(large, milliseconds(0), milliseconds(0)).has_value());
}

}  // namespace
}  // namespace heed::client
