// SPDX-License-Identifier: Apache-2.0
#include "client/top/metrics_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace heed::client {
namespace {

using testing::ElementsAre;

MetricsPage Parsed(const std::string& text) { return MetricsPage::Parse(text).value(); }

BucketCounts Buckets(std::map<double, double> at_most) {
  BucketCounts counts;
  counts.at_most = std::move(at_most);
  counts.count = counts.at_most.rbegin()->second;
  return counts;
}

// The values are those that Prometheus 2.42's histogram_quantile gives for the same buckets.
TEST(BucketCounts, QuantilesAreInterpolatedWithinTheirBucket) {
  const BucketCounts counts = Buckets({{0.1, 10}, {0.2, 30}, {0.5, 90}, {1, 100}, {INFINITY, 100}});
  EXPECT_DOUBLE_EQ(*counts.Quantile(0.05), 0.05);
  EXPECT_DOUBLE_EQ(*counts.Quantile(0.1), 0.1);
  EXPECT_DOUBLE_EQ(*counts.Quantile(0.2), 0.15);
  EXPECT_DOUBLE_EQ(*counts.Quantile(0.5), 0.3);
  EXPECT_DOUBLE_EQ(*counts.Quantile(0.9), 0.5);
  EXPECT_DOUBLE_EQ(*counts.Quantile(0.95), 0.75);
  EXPECT_DOUBLE_EQ(*counts.Quantile(1), 1);
}

TEST(BucketCounts, BeyondTheLastBoundAQuantileIsThatBound) {
  const BucketCounts counts = Buckets({{1, 1}, {2, 2}, {INFINITY, 10}});
  EXPECT_EQ(counts.Quantile(0.5), 2);
  EXPECT_EQ(counts.Quantile(0.99), 2);
  EXPECT_EQ(counts.Quantile(0.1), 1);
}

TEST(BucketCounts, EmptyBucketsInBetweenHoldNoQuantile) {
  const BucketCounts counts = Buckets({{1, 0}, {2, 0}, {4, 8}, {8, 8}, {INFINITY, 8}});
  EXPECT_EQ(counts.Quantile(0.5), 3);
  EXPECT_EQ(counts.Quantile(1), 4);
}

TEST(BucketCounts, WithoutObservationsOrBoundsThereIsNoQuantile) {
  EXPECT_EQ(BucketCounts().Quantile(0.5), std::nullopt);
  EXPECT_EQ(BucketCounts().Mean(), std::nullopt);
  EXPECT_EQ(Buckets({{1, 0}, {INFINITY, 0}}).Quantile(0.5), std::nullopt);
  EXPECT_EQ(Buckets({{INFINITY, 5}}).Quantile(0.5), std::nullopt);
  EXPECT_EQ(Buckets({{1, 5}, {2, 5}}).Quantile(0.5), std::nullopt);
}

TEST(MetricsChange, ACounterGrowsPerSecond) {
  const MetricsChange change(Parsed("c{m=\"a\"} 10\nc{m=\"b\"} 5\n"), Parsed("c{m=\"a\"} 30\nc{m=\"b\"} 6\n"), 4);
  EXPECT_EQ(change.Rate("c"), 21.0 / 4);
  EXPECT_EQ(change.Rate("c", {{"m", "a"}}), 5);
  EXPECT_EQ(change.Rate("c", {{"m", "z"}}), std::nullopt);
  EXPECT_EQ(change.Rate("d"), std::nullopt);
}

TEST(MetricsChange, ACounterThatAppearsBeganAtNothingAndOneThatVanishesIsNotCounted) {
  const MetricsChange change(Parsed("c{m=\"gone\"} 10\n"), Parsed("c{m=\"new\"} 6\n"), 2);
  EXPECT_EQ(change.Rate("c", {{"m", "new"}}), 3);
  EXPECT_EQ(change.Rate("c"), 3);
  EXPECT_EQ(change.Rate("c", {{"m", "gone"}}), std::nullopt);
}

TEST(MetricsChange, ACounterThatIsLowerThanBeforeBeganAnew) {
  const MetricsChange change(Parsed("c 1000\nd 5\n"), Parsed("c 8\nd 7\n"), 2);
  EXPECT_EQ(change.Rate("c"), 4);
  EXPECT_EQ(change.Rate("d"), 1);
  EXPECT_FALSE(change.restarted());
}

// After the restart this counter is larger than before it already.
TEST(MetricsChange, OfARestartedServerAllIsCounted) {
  const MetricsChange change(Parsed("process_start_time_seconds 100\nc 10\n"),
                             Parsed("process_start_time_seconds 200\nc 30\n"), 10);
  EXPECT_TRUE(change.restarted());
  EXPECT_EQ(change.Rate("c"), 3);
}

TEST(MetricsChange, WithoutTimeThereIsNoRate) {
  EXPECT_EQ(MetricsChange(Parsed("c 1\n"), Parsed("c 2\n"), 0).Rate("c"), std::nullopt);
}

constexpr char kBefore[] =
    "h_bucket{m=\"a\",le=\"0.1\"} 5\n"
    "h_bucket{m=\"a\",le=\"1\"} 8\n"
    "h_bucket{m=\"a\",le=\"+Inf\"} 10\n"
    "h_sum{m=\"a\"} 4\n"
    "h_count{m=\"a\"} 10\n";

TEST(MetricsChange, ObservationsAreThoseOfTheTimeBetween) {
  const MetricsChange change(Parsed(kBefore),
                             Parsed("h_bucket{m=\"a\",le=\"0.1\"} 5\n"
                                    "h_bucket{m=\"a\",le=\"1\"} 18\n"
                                    "h_bucket{m=\"a\",le=\"+Inf\"} 20\n"
                                    "h_sum{m=\"a\"} 10\n"
                                    "h_count{m=\"a\"} 20\n"
                                    "h_bucket{m=\"b\",le=\"0.1\"} 2\n"
                                    "h_bucket{m=\"b\",le=\"1\"} 2\n"
                                    "h_bucket{m=\"b\",le=\"+Inf\"} 2\n"
                                    "h_sum{m=\"b\"} 0.1\n"
                                    "h_count{m=\"b\"} 2\n"),
                             1);
  const BucketCounts a = change.Observations("h", {{"m", "a"}});
  EXPECT_EQ(a.count, 10);
  EXPECT_EQ(a.Mean(), 0.6);
  EXPECT_THAT(a.at_most, ElementsAre(std::pair(0.1, 0), std::pair(1, 10), std::pair(INFINITY, 10)));
  EXPECT_DOUBLE_EQ(*a.Quantile(0.5), 0.55);
  EXPECT_THAT(change.Observations("h").at_most,
              ElementsAre(std::pair(0.1, 2), std::pair(1, 12), std::pair(INFINITY, 12)));
  EXPECT_EQ(change.Observations("h", {{"m", "c"}}).Quantile(0.5), std::nullopt);
}

// One bucket is larger than before, though the histogram began anew.
TEST(MetricsChange, AHistogramBeginsAnewAsAWhole) {
  const MetricsChange change(Parsed(kBefore),
                             Parsed("h_bucket{m=\"a\",le=\"0.1\"} 6\n"
                                    "h_bucket{m=\"a\",le=\"1\"} 6\n"
                                    "h_bucket{m=\"a\",le=\"+Inf\"} 6\n"
                                    "h_sum{m=\"a\"} 0.3\n"
                                    "h_count{m=\"a\"} 6\n"),
                             1);
  const BucketCounts counts = change.Observations("h");
  EXPECT_EQ(counts.count, 6);
  EXPECT_EQ(counts.sum, 0.3);
  EXPECT_THAT(counts.at_most, ElementsAre(std::pair(0.1, 6), std::pair(1, 6), std::pair(INFINITY, 6)));
}

TEST(MetricsChanges, ServersAreAddedUpEachOverItsOwnTime) {
  const MetricsChanges changes({MetricsChange(Parsed("c 0\ng 3\n"), Parsed("c 10\ng 4\n"), 1),
                                MetricsChange(Parsed("c 0\ng{x=\"y\"} 3\n"), Parsed("c 10\ng{x=\"y\"} 5\n"), 2)});
  EXPECT_EQ(changes.Rate("c"), 15);
  EXPECT_EQ(changes.Sum("g"), 9);
  EXPECT_EQ(changes.Rate("d"), std::nullopt);
  EXPECT_EQ(changes.Sum("d"), std::nullopt);
  EXPECT_THAT(changes.LabelValues("g", "x"), ElementsAre("y"));
}

}  // namespace
}  // namespace heed::client
