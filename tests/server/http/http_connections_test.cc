// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_connections.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TimePoint kStart(std::chrono::hours(1));
constexpr std::chrono::seconds kSecond(1);

TEST(HttpConnectionsTest, RoomIsMadeByTheOldestOfTheAddressThatHasMost) {
  HttpConnectionLimits limits;
  limits.max_connections = 4;
  HttpConnections connections(limits);
  EXPECT_THAT(connections.Add(10, "probe", true, kStart), IsEmpty());
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(connections.Add(20 + i, "flood", true, kStart + (i + 1) * kSecond), IsEmpty());
  EXPECT_THAT(connections.Add(23, "flood", true, kStart + 4 * kSecond), ElementsAre(20)) << "not the older probe";
  connections.Answered(21, kStart + 5 * kSecond);
  EXPECT_THAT(connections.Add(24, "flood", true, kStart + 5 * kSecond), ElementsAre(22)) << "21 was answered since";
  EXPECT_THAT(connections.Add(11, "probe", true, kStart + 6 * kSecond), ElementsAre(23));
  EXPECT_EQ(connections.size(), 4u) << "those that have to go do not count";
  for (const int gone : {20, 22, 23}) connections.Remove(gone);
  EXPECT_EQ(connections.size(), 4u);
  connections.Remove(21);
  EXPECT_THAT(connections.Add(25, "flood", true, kStart + 7 * kSecond), IsEmpty());
}

TEST(HttpConnectionsTest, WhoIsBeingServedStaysAndTheNewOneGoes) {
  HttpConnectionLimits limits;
  limits.max_connections = 2;
  HttpConnections connections(limits);
  for (const int served : {1, 2}) {
    connections.Add(served, "a", true, kStart);
    connections.Receiving(served, kStart);
    connections.Serving(served, kStart);
  }
  EXPECT_THAT(connections.Add(3, "a", true, kStart), ElementsAre(3));
  connections.Answered(2, kStart);
  EXPECT_THAT(connections.Add(4, "b", true, kStart), ElementsAre(2));
}

TEST(HttpConnectionsTest, AnOriginHasALimitOfItsOwn) {
  HttpConnectionLimits limits;
  limits.max_per_origin = 2;
  HttpConnections connections(limits);
  for (int i = 0; i < 3; ++i) connections.Add(10 + i, "local", false, kStart);
  EXPECT_EQ(connections.size(), 3u) << "without a limit";
  connections.Add(1, "a", true, kStart);
  connections.Add(2, "a", true, kStart + kSecond);
  EXPECT_THAT(connections.Add(3, "a", true, kStart + kSecond), ElementsAre(1));
  EXPECT_THAT(connections.Add(4, "b", true, kStart + kSecond), IsEmpty());
}

TEST(HttpConnectionsTest, EachPhaseHasItsTime) {
  HttpConnectionLimits limits;
  limits.max_head = 5 * kSecond;
  limits.max_idle = 60 * kSecond;
  limits.max_transfer = 10 * kSecond;
  limits.min_bytes_per_s = 1000;
  HttpConnections connections(limits);
  for (const int descriptor : {1, 2, 3, 4, 5}) connections.Add(descriptor, "a", true, kStart);
  connections.Answered(2, kStart);
  connections.Receiving(3, kStart);
  connections.Serving(4, kStart);
  connections.Sending(5, kStart);
  EXPECT_THAT(connections.Overdue(kStart + 5 * kSecond - std::chrono::milliseconds(1)), IsEmpty());
  EXPECT_THAT(connections.Overdue(kStart + 5 * kSecond), ElementsAre(1));
  EXPECT_THAT(connections.Overdue(kStart + 6 * kSecond), IsEmpty()) << "it was told once";
  connections.Moved(3, 2000);
  connections.Sending(5, kStart + 9 * kSecond);  // already
  EXPECT_THAT(connections.Overdue(kStart + 10 * kSecond), ElementsAre(5));
  EXPECT_THAT(connections.Overdue(kStart + 11 * kSecond), IsEmpty());
  EXPECT_THAT(connections.Overdue(kStart + 12 * kSecond), ElementsAre(3)) << "two seconds more for 2000 bytes";
  EXPECT_THAT(connections.Overdue(kStart + 60 * kSecond), ElementsAre(2));
  EXPECT_THAT(connections.Overdue(kStart + 3600 * kSecond), IsEmpty()) << "who is served owes nothing";
}

TEST(HttpConnectionsTest, ThoseThatWaitForARequestAreKnown) {
  HttpConnections connections({});
  for (const int descriptor : {1, 2, 3}) connections.Add(descriptor, "a", true, kStart);
  connections.Receiving(2, kStart);
  connections.Answered(3, kStart);
  EXPECT_THAT(connections.Waiting(), ElementsAre(1, 3));
  EXPECT_THAT(connections.Waiting(), IsEmpty());
}

}  // namespace
}  // namespace heed
