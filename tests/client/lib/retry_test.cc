// SPDX-License-Identifier: Apache-2.0
#include "client/lib/retry.h"

#include <gtest/gtest.h>

#include <optional>
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
      const auto delay = backoff.Next(kFull, Repeat::kAlways, milliseconds(0), milliseconds(0));
      ASSERT_TRUE(delay.has_value());
      EXPECT_GE(delay->count(), full / 2);
      EXPECT_LE(delay->count(), full);
    }
  }
}

TEST(Backoff, ClientsThatFailTogetherComeBackApart) {
  std::set<int64_t> delays;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    delays.insert(Backoff({.first_delay = milliseconds(1000)}, seed * 7919)
                      .Next(kFull, Repeat::kAlways, {}, milliseconds(0))
                      ->count());
  }
  EXPECT_GT(delays.size(), 50u);
}

TEST(Backoff, NeverBelowWhatTheServerAsksFor) {
  Backoff backoff(kPolicy, 1);
  EXPECT_EQ(backoff.Next(kFull, Repeat::kAlways, milliseconds(0), milliseconds(700)), milliseconds(700));
}

TEST(Backoff, FullQueueIsRetriedWithoutLimitAndAMissingServerForAWhile) {
  Backoff backoff(kPolicy, 1);
  EXPECT_TRUE(backoff.Next(kFull, Repeat::kAlways, std::chrono::hours(10), milliseconds(0)).has_value());
  EXPECT_TRUE(backoff.Next(kGone, Repeat::kAlways, milliseconds(999), std::nullopt).has_value());
  EXPECT_FALSE(backoff.Next(kGone, Repeat::kAlways, milliseconds(1000), milliseconds(5)).has_value());
}

TEST(Backoff, WhatNeverFitsComesWithoutADelayAndIsFinal) {
  for (const char* message : {"Received message larger than max (9 vs. 4)", "session holds 1000 facts already",
                              "the graph does not fit into --max_graph_bytes"}) {
    const grpc::Status status(grpc::StatusCode::RESOURCE_EXHAUSTED, message);
    EXPECT_FALSE(Backoff(kPolicy, 1).Next(status, Repeat::kAlways, milliseconds(0), std::nullopt).has_value())
        << message;
  }
}

TEST(Backoff, AServerMayAskNotToComeBack) {
  EXPECT_FALSE(Backoff(kPolicy, 1).Next(kFull, Repeat::kAlways, milliseconds(0), milliseconds(-1)).has_value());
  EXPECT_FALSE(Backoff(kPolicy, 1).Next(kGone, Repeat::kAlways, milliseconds(0), milliseconds(-1)).has_value());
}

TEST(Backoff, WhatMayHaveHappenedRunsAgainOnlyIfTheServerRefusedIt) {
  for (const grpc::Status& status : {kFull, kGone}) {
    EXPECT_TRUE(Backoff(kPolicy, 1).Next(status, Repeat::kIfRefused, milliseconds(0), milliseconds(5)).has_value());
    EXPECT_FALSE(Backoff(kPolicy, 1).Next(status, Repeat::kIfRefused, milliseconds(0), std::nullopt).has_value());
    EXPECT_FALSE(Backoff(kPolicy, 1).Next(status, Repeat::kNever, milliseconds(0), milliseconds(5)).has_value());
  }
}

TEST(Backoff, OtherErrorsAreFinal) {
  for (const auto code : {grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::NOT_FOUND,
                          grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::INTERNAL}) {
    EXPECT_FALSE(Backoff(kPolicy, 1)
                     .Next(grpc::Status(code, ""), Repeat::kAlways, milliseconds(0), milliseconds(5))
                     .has_value());
  }
}

}  // namespace
}  // namespace heed::client
