// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/wait_estimate.h"

#include "gtest/gtest.h"

namespace heed {
namespace {

TimePoint At(double seconds) {
  return TimePoint() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double SecondsOf(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double QueueSeconds(const QueueTimeEstimate& queue, double now) { return SecondsOf(queue.QueueTime(At(now)).value()); }

// `departures` of `rows` each, `gap` seconds apart, from `now` on; something waits before and after.
double Depart(QueueTimeEstimate& queue, double now, int departures, int64_t rows, double gap) {
  for (int i = 0; i < departures; ++i) {
    now += gap;
    queue.Join(rows, At(now));
    queue.Depart(rows, At(now));
  }
  return now;
}

TEST(QueueTimeEstimateTest, NothingIsKnownBeforeTheFirstDeparture) {
  QueueTimeEstimate queue;
  EXPECT_FALSE(queue.QueueTime(At(0)).has_value());
  queue.Join(100, At(0));
  EXPECT_FALSE(queue.QueueTime(At(50)).has_value());
  queue.GiveUp(50);
  EXPECT_FALSE(queue.QueueTime(At(50)).has_value());
}

TEST(QueueTimeEstimateTest, IsWhatWaitsByTheRateOfDepartures) {
  QueueTimeEstimate queue;
  queue.Join(600, At(0));
  const double now = Depart(queue, 0, /*departures=*/200, /*rows=*/3, /*gap=*/0.01);
  EXPECT_NEAR(QueueSeconds(queue, now), 600 / 300.0, 0.01);
  queue.Join(300, At(now));
  EXPECT_NEAR(QueueSeconds(queue, now), 900 / 300.0, 0.01);
  queue.GiveUp(600);
  EXPECT_NEAR(QueueSeconds(queue, now), 300 / 300.0, 0.01);
}

TEST(QueueTimeEstimateTest, EmptyQueueIsWaitedForByNobody) {
  QueueTimeEstimate queue;
  queue.Join(10, At(0));
  queue.Depart(10, At(1));
  EXPECT_FALSE(queue.QueueTime(At(1)).has_value());
}

TEST(QueueTimeEstimateTest, QueueThatEmptiesTellsNothingOfTheNextOne) {
  QueueTimeEstimate queue;
  queue.Join(10, At(0));
  queue.Depart(10, At(5));  // it waited for a step, with room for many more
  queue.Join(1000, At(5));
  EXPECT_FALSE(queue.QueueTime(At(5)).has_value());
  queue.Depart(500, At(6));
  EXPECT_NEAR(QueueSeconds(queue, 6), 1, 1e-6);
}

TEST(QueueTimeEstimateTest, StandstillIsSeenAndForgottenOnceTheQueueMovesAgain) {
  QueueTimeEstimate queue;
  queue.Join(100, At(0));
  double now = Depart(queue, 0, 1000, 1, 0.01);  // 100 rows per second
  EXPECT_NEAR(QueueSeconds(queue, now), 1, 0.01);
  now += 9;  // nine times as long as the mean goes back
  EXPECT_NEAR(QueueSeconds(queue, now), 10, 0.5);
  now = Depart(queue, now, 200, 1, 0.01);
  EXPECT_LT(QueueSeconds(queue, now), 2.5);
  now = Depart(queue, now, 300, 1, 0.01);
  EXPECT_NEAR(QueueSeconds(queue, now), 1, 0.1);
}

TEST(QueueTimeEstimateTest, RareDeparturesAreAveraged) {
  QueueTimeEstimate queue;
  queue.Join(1000, At(0));
  double now = 0;
  for (int i = 0; i < 20; ++i) {
    now = Depart(queue, now, 1, i % 2 == 0 ? 150 : 50, 5);  // 20 rows per second
    if (i < 8) continue;
    EXPECT_NEAR(QueueSeconds(queue, now), 50, 8) << i;
  }
}

TEST(RunTimeEstimateTest, IsStepsTimesThePeriod) {
  RunTimeEstimate run;
  EXPECT_EQ(run.RunTime(1), Clock::duration::zero());
  run.AddTask(10, true);
  EXPECT_EQ(run.RunTime(1), Clock::duration::zero());
  run.AddStep(std::chrono::milliseconds(4), 1);
  EXPECT_NEAR(SecondsOf(run.RunTime(1)), 0.040, 1e-6);
  for (int i = 0; i < 30; ++i) run.AddStep(std::chrono::milliseconds(400), 1);
  for (int i = 0; i < 1000; ++i) run.AddTask(20, true);
  EXPECT_NEAR(SecondsOf(run.RunTime(1)), 8, 0.1);
}

TEST(RunTimeEstimateTest, MostTasksTakeFewerStepsAndALargeOneChangesLittle) {
  RunTimeEstimate run;
  run.AddStep(std::chrono::seconds(1), 1);
  for (int i = 0; i < 1000; ++i) run.AddTask(5 + i * 8 % 21, true);  // 5 to 25
  EXPECT_NEAR(SecondsOf(run.RunTime(1)), 25, 1);                     // two deviations would be 30
  RunTimeEstimate other;
  other.AddStep(std::chrono::seconds(1), 1);
  for (int i = 0; i < 1000; ++i) other.AddTask(1, true);
  other.AddTask(1000, true);
  EXPECT_LT(SecondsOf(other.RunTime(1)), 20);
}

TEST(RunTimeEstimateTest, NoMoreStepsThanTheLongestTaskLatelyTook) {
  RunTimeEstimate run;
  run.AddStep(std::chrono::seconds(1), 1);
  for (int i = 0; i < 1000; ++i) run.AddTask(i % 2 == 0 ? 1 : 100, true);
  EXPECT_NEAR(SecondsOf(run.RunTime(1)), 100, 1);
  for (int i = 0; i < 5000; ++i) run.AddTask(i % 2 == 0 ? 1 : 4, true);
  EXPECT_LT(SecondsOf(run.RunTime(1)), 5);
}

TEST(RunTimeEstimateTest, StepsAreLongerForMoreTasksBeyondWhatAnEmptyOneCosts) {
  RunTimeEstimate run;
  run.AddTask(10, true);
  run.AddStep(std::chrono::milliseconds(10), 92);
  EXPECT_NEAR(SecondsOf(run.RunTime(192)), 0.2, 1e-6);
  EXPECT_NEAR(SecondsOf(run.RunTime(2)), 0.01, 1e-6);
}

TEST(RunTimeEstimateTest, TaskThatRanOutOfTimeTellsThatItTakesMoreNotThatItTakesLess) {
  RunTimeEstimate run;
  run.AddStep(std::chrono::milliseconds(10), 1);
  run.AddTask(20, true);
  for (int i = 0; i < 100; ++i) run.AddTask(3, false);
  EXPECT_NEAR(SecondsOf(run.RunTime(1)), 0.2, 1e-6);
  for (int i = 0; i < 500; ++i) run.AddTask(30, false);
  EXPECT_NEAR(SecondsOf(run.RunTime(1)), 0.3, 0.01);
}

}  // namespace
}  // namespace heed
