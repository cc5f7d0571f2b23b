// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/batch_former.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Ended = BatchFormer::Ended;
using Member = BatchFormer::Member;

// A task that takes `steps` steps of `rows` rows.
class CountedTask : public Task {
 public:
  explicit CountedTask(int steps, int64_t rows = 1, int64_t bytes = 1) : steps_(steps), rows_(rows), bytes_(bytes) {
    if (steps == 0) Finish();
  }
  int64_t next_rows() const override { return rows_; }
  int64_t peak_bytes() const override { return bytes_; }
  bool has_output() const override { return finished(); }
  void Advance() {
    if (--steps_ == 0) Finish();
  }
  void Fail(absl::Status error) { Finish(std::move(error)); }

 private:
  int steps_;
  const int64_t rows_, bytes_;
};

// The fake clock: the time is an argument, and this is it.
TimePoint At(int milliseconds) { return TimePoint() + std::chrono::milliseconds(milliseconds); }

std::shared_ptr<Job> MakeJob(int tasks, int steps = 1, int64_t rows = 1, int64_t bytes = 1) {
  auto job = std::make_shared<Job>();
  for (int i = 0; i < tasks; ++i) job->tasks.push_back(std::make_unique<CountedTask>(steps, rows, bytes));
  return job;
}

std::shared_ptr<Job> WithPriority(Priority priority, std::shared_ptr<Job> job) {
  job->priority = priority;
  return job;
}

class BatchFormerTest : public ::testing::Test {
 protected:
  BatchFormer& former() {
    if (former_ == nullptr) former_ = std::make_unique<BatchFormer>(limits_);
    return *former_;
  }
  std::shared_ptr<Job> Add(std::shared_ptr<Job> job) {
    EXPECT_TRUE(former().Add(job, now_).ok());
    return job;
  }
  std::vector<Member> Form() { return former().Form(now_, ended_); }
  void Complete(const std::vector<Member>& batch) {
    for (const Member& member : batch) {
      if (!member.task->finished()) static_cast<CountedTask*>(member.task)->Advance();
    }
    former().Complete(batch, now_, ended_);
  }
  // Steps once; how many tasks of each of `jobs` stood in the batch.
  std::vector<int> StepCounting(const std::vector<std::shared_ptr<Job>>& jobs) {
    const std::vector<Member> batch = Form();
    std::vector<int> counts(jobs.size());
    for (const Member& member : batch) {
      for (size_t i = 0; i < jobs.size(); ++i) counts[i] += member.job == jobs[i];
    }
    Complete(batch);
    return counts;
  }

  BatchLimits limits_;
  TimePoint now_ = At(0);
  std::vector<Ended> ended_;

 private:
  std::unique_ptr<BatchFormer> former_;
};

TEST_F(BatchFormerTest, ABatchTakesItsShareOfWhatIsReady) {
  auto job = Add(MakeJob(5, /*steps=*/2, /*rows=*/2));
  former().Refresh(now_, ended_);
  EXPECT_EQ(former().ready().tasks, 5);
  EXPECT_EQ(former().ready().rows, 10);
  const std::vector<Member> first = former().Take(now_, /*max_rows=*/5);
  EXPECT_THAT(first, SizeIs(2));
  EXPECT_EQ(former().ready().tasks, 3);
  const std::vector<Member> second = former().Take(now_, /*max_rows=*/100);
  EXPECT_THAT(second, SizeIs(3));
  EXPECT_EQ(former().ready().rows, 0);
  EXPECT_THAT(former().Take(now_, 100), IsEmpty());
  Complete(second);
  EXPECT_EQ(former().ready().tasks, 3);
  // A task with more rows goes alone; a reader that lags is not ready.
  EXPECT_THAT(former().Take(now_, 1), SizeIs(1));
  former().SetBacklogged(job.get(), true, now_);
  EXPECT_EQ(former().ready().tasks, 0);
  EXPECT_THAT(former().Take(now_, 100), IsEmpty());
}

TEST_F(BatchFormerTest, HigherPrioritiesAreAdmittedFirstWhoeverCameFirst) {
  limits_.max_running_tasks = 1;
  auto low = Add(WithPriority(Priority::kLow, MakeJob(1)));
  auto normal = Add(MakeJob(1));
  auto high = Add(WithPriority(Priority::kHigh, MakeJob(1)));
  auto also_high = Add(WithPriority(Priority::kHigh, MakeJob(1)));
  for (int step = 0; step < 4; ++step) Complete(Form());
  std::vector<std::shared_ptr<Job>> order;
  for (const Ended& ended : ended_) order.push_back(ended.job);
  EXPECT_THAT(order, ElementsAre(high, also_high, normal, low));
}

TEST_F(BatchFormerTest, LowerPriorityHasATurnAfterEightOfHigherOnes) {
  limits_.max_running_tasks = 1;
  limits_.turn_rows = 5;
  auto low = Add(WithPriority(Priority::kLow, MakeJob(100, 1, /*rows=*/5)));
  std::string order;
  for (int step = 0; step < 27; ++step) {
    Add(WithPriority(Priority::kHigh, MakeJob(1, 1, /*rows=*/5)));  // there is always one more
    order += StepCounting({low})[0] == 1 ? "L" : "h";
  }
  EXPECT_EQ(order, "hhhhhhhhLhhhhhhhhLhhhhhhhhL");
}

TEST_F(BatchFormerTest, EachLevelThatWaitsHasANinthOfTheRowsThatItAndHigherOnesAdmit) {
  limits_.max_queued_tasks = 1'000'000;
  limits_.max_batch_rows = 60;
  limits_.turn_rows = 10;
  auto high = Add(WithPriority(Priority::kHigh, MakeJob(100'000, 1, /*rows=*/3)));
  auto normal = Add(MakeJob(100'000, 1, /*rows=*/5)), low = Add(WithPriority(Priority::kLow, MakeJob(100'000)));
  int64_t high_rows = 0, normal_rows = 0, low_rows = 0;
  int64_t waited = 0, longest_wait = 0;  // rows of the others since the last of the low job's
  for (int step = 0; step < 500; ++step) {
    const std::vector<int> counts = StepCounting({high, normal, low});
    high_rows += 3 * counts[0];
    normal_rows += 5 * counts[1];
    low_rows += counts[2];
    waited = counts[2] > 0 ? 0 : waited + 3 * counts[0] + 5 * counts[1];
    longest_wait = std::max(longest_wait, waited);
  }
  const int64_t all = high_rows + normal_rows + low_rows;
  EXPECT_GE(low_rows, all / 9 - limits_.turn_rows);
  EXPECT_GE(normal_rows, (all - low_rows) / 9 - limits_.turn_rows);
  EXPECT_GE(high_rows, all * 7 / 10);
  EXPECT_LE(longest_wait, 9 * limits_.turn_rows);
}

TEST_F(BatchFormerTest, LowerPriorityHasAllThatHigherOnesLeave) {
  limits_.max_running_tasks = 4;
  auto low = Add(WithPriority(Priority::kLow, MakeJob(100)));
  EXPECT_THAT(StepCounting({low}), ElementsAre(3));
  auto high = Add(WithPriority(Priority::kHigh, MakeJob(1)));
  EXPECT_THAT(StepCounting({low, high}), ElementsAre(2, 1));
  EXPECT_THAT(StepCounting({low, high}), ElementsAre(3, 0));
}

TEST_F(BatchFormerTest, TaskOfLowPriorityThatDoesNotFitIsPassedByHigherOnesButNotForEver) {
  limits_.max_running_bytes = 100;
  limits_.turn_rows = 1;
  Add(WithPriority(Priority::kHigh, MakeJob(1, /*steps=*/3, 1, /*bytes=*/60)));
  Complete(Form());
  auto large = Add(WithPriority(Priority::kLow, MakeJob(1, 1, 1, /*bytes=*/80)));
  int passed = 0;
  for (int step = 0; step < 20 && StepCounting({large})[0] == 0; ++step) {
    for (int i = 0; i < 2; ++i) Add(WithPriority(Priority::kHigh, MakeJob(1, /*steps=*/2, 1, /*bytes=*/20)));
    ++passed;
  }
  EXPECT_GE(passed, 4);  // eight turns, of which at most two are taken in a step
  EXPECT_LE(passed, 8);
}

TEST_F(BatchFormerTest, TimesTellTheStepsOfAJobAndTheRowsOfTheirBatches) {
  auto job = Add(MakeJob(/*tasks=*/2, /*steps=*/2, /*rows=*/3));
  Complete(Form());
  auto other = Add(MakeJob(1, /*steps=*/1, /*rows=*/5));
  Complete(Form());
  ASSERT_THAT(ended_, SizeIs(2));
  const auto& of_job = ended_[0].job == job ? ended_[0] : ended_[1];
  const auto& of_other = ended_[0].job == job ? ended_[1] : ended_[0];
  EXPECT_EQ(of_job.times.steps, 2);
  EXPECT_EQ(of_job.times.step_rows, 6 + 11);
  EXPECT_EQ(of_other.times.steps, 1);
  EXPECT_EQ(of_other.times.step_rows, 11);
}

TEST_F(BatchFormerTest, AJobWhoseTasksNeedNoStepHasNone) {
  Add(MakeJob(1, /*steps=*/0));
  Complete(Form());
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].times.steps, 0);
}

TEST_F(BatchFormerTest, JobRunsUntilItsTasksAreFinished) {
  auto job = Add(MakeJob(/*tasks=*/2, /*steps=*/2));
  EXPECT_EQ(former().queued_jobs(), 1);
  EXPECT_EQ(former().queued_tasks(), 2);
  now_ = At(5);
  std::vector<Member> batch = Form();
  EXPECT_THAT(batch, SizeIs(2));
  EXPECT_EQ(former().queued_jobs(), 0);
  EXPECT_EQ(former().running_tasks(), 2);
  Complete(batch);
  EXPECT_THAT(ended_, IsEmpty());
  now_ = At(9);
  Complete(Form());
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].job, job);
  EXPECT_TRUE(ended_[0].status.ok());
  EXPECT_EQ(ended_[0].times.submitted, At(0));
  EXPECT_EQ(ended_[0].times.started, At(5));
  EXPECT_EQ(ended_[0].times.done, At(9));
  EXPECT_TRUE(former().empty());
  EXPECT_EQ(former().running_bytes(), 0);
}

TEST_F(BatchFormerTest, FirstOutputIsTheEndOfTheStepThatGaveIt) {
  Add(MakeJob(1, /*steps=*/2));
  Complete(Form());
  now_ = At(7);
  std::vector<Member> batch = Form();
  batch[0].has_output = true;
  Complete(batch);
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].times.first_output, At(7));
}

TEST_F(BatchFormerTest, NewcomerJoinsAtTheNextStepAlthoughALargeJobFillsTheSet) {
  limits_.max_running_tasks = 8;
  auto large = Add(MakeJob(10'000, /*steps=*/5));
  EXPECT_THAT(StepCounting({large}), ElementsAre(6));  // three quarters
  auto small = Add(MakeJob(1));
  EXPECT_THAT(StepCounting({large, small}), ElementsAre(6, 1));
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].job, small);
}

TEST_F(BatchFormerTest, JobsThatCompeteForRoomShareIt) {
  limits_.max_running_tasks = 16;
  limits_.turn_rows = 2;
  auto a = Add(MakeJob(1000));
  auto b = Add(MakeJob(1000));
  auto c = Add(MakeJob(1000));
  std::vector<int> total(3);
  for (int step = 0; step < 30; ++step) {
    const std::vector<int> counts = StepCounting({a, b, c});
    for (int i = 0; i < 3; ++i) total[i] += counts[i];
  }
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(total[i], (total[0] + total[1] + total[2]) / 3, 4) << i;
}

TEST_F(BatchFormerTest, TurnsAreMeasuredInRows) {
  limits_.max_batch_rows = 64;
  limits_.turn_rows = 8;
  auto wide = Add(MakeJob(1000, 1, /*rows=*/8));
  auto narrow = Add(MakeJob(10'000, 1, /*rows=*/1));
  int wide_rows = 0, narrow_rows = 0;
  for (int step = 0; step < 50; ++step) {
    const std::vector<int> counts = StepCounting({wide, narrow});
    wide_rows += 8 * counts[0];
    narrow_rows += counts[1];
  }
  EXPECT_NEAR(wide_rows, narrow_rows, 0.2 * wide_rows);
}

TEST_F(BatchFormerTest, StepsStayWithinTheRowBudget) {
  limits_.max_batch_rows = 100;
  for (int i = 0; i < 20; ++i) Add(MakeJob(5, 2, /*rows=*/7));
  while (!former().empty()) {
    const std::vector<Member> batch = Form();
    int64_t rows = 0;
    for (const Member& member : batch) rows += member.task->next_rows();
    EXPECT_LE(rows, 100);
    ASSERT_THAT(batch, ::testing::Not(IsEmpty()));
    Complete(batch);
  }
  EXPECT_THAT(ended_, SizeIs(20));
}

TEST_F(BatchFormerTest, TaskLargerThanTheRowBudgetRunsAlone) {
  limits_.max_batch_rows = 10;
  auto small = Add(MakeJob(1, /*steps=*/2, /*rows=*/5));
  auto large = Add(MakeJob(1, /*steps=*/1, /*rows=*/50));
  EXPECT_THAT(StepCounting({small, large}), ElementsAre(1, 0));
  EXPECT_THAT(StepCounting({small, large}), ElementsAre(1, 0));
  EXPECT_THAT(StepCounting({small, large}), ElementsAre(0, 1));
}

TEST_F(BatchFormerTest, TaskThatDoesNotFitIsNotStarvedByThoseBehindIt) {
  limits_.max_running_bytes = 100;
  auto running = Add(MakeJob(1, /*steps=*/3, 1, /*bytes=*/60));
  StepCounting({running});
  auto large = Add(MakeJob(1, 1, 1, /*bytes=*/80));
  auto late = Add(MakeJob(1, 1, 1, /*bytes=*/10));
  EXPECT_THAT(StepCounting({running, large, late}), ElementsAre(1, 0, 0));
  EXPECT_THAT(StepCounting({running, large, late}), ElementsAre(1, 0, 0));
  EXPECT_THAT(StepCounting({running, large, late}), ElementsAre(0, 1, 1));
}

TEST_F(BatchFormerTest, RunningTasksStayWithinTheByteBudget) {
  limits_.max_running_bytes = 1000;
  for (int i = 0; i < 10; ++i) Add(MakeJob(10, 2, 1, /*bytes=*/90));
  while (!former().empty()) {
    const std::vector<Member> batch = Form();
    EXPECT_LE(former().running_bytes(), 1000);
    Complete(batch);
  }
}

TEST_F(BatchFormerTest, TaskLargerThanTheByteBudgetRunsAlone) {
  limits_.max_running_bytes = 10;
  auto large = Add(MakeJob(1, 1, 1, /*bytes=*/50));
  EXPECT_THAT(StepCounting({large}), ElementsAre(1));
}

TEST_F(BatchFormerTest, TaskLargerThanTheByteBudgetLeavesItsLastQuarterToOthers) {
  limits_.max_running_bytes = 100;
  auto large = Add(MakeJob(1, /*steps=*/3, 1, /*bytes=*/500));
  StepCounting({large});
  auto small = Add(MakeJob(2, /*steps=*/1, 1, /*bytes=*/25));
  EXPECT_THAT(StepCounting({large, small}), ElementsAre(1, 1));
  EXPECT_THAT(StepCounting({large, small}), ElementsAre(1, 1));
}

TEST_F(BatchFormerTest, NewcomersTakeTurnsWithTasksThatTakeLargeStepsForLong) {
  limits_.max_batch_rows = 100;
  auto graphs = Add(MakeJob(1, /*steps=*/1000, /*rows=*/50));
  auto more = Add(MakeJob(1, /*steps=*/1000, /*rows=*/50));
  EXPECT_THAT(StepCounting({graphs, more}), ElementsAre(1, 1));
  auto small = Add(MakeJob(1, /*steps=*/1, /*rows=*/1));
  EXPECT_THAT(StepCounting({graphs, more, small}), ElementsAre(1, 1, 0));
  EXPECT_THAT(StepCounting({graphs, more, small}), ElementsAre(1, 0, 1));
  EXPECT_THAT(StepCounting({graphs, more, small}), ElementsAre(1, 1, 0));
}

TEST_F(BatchFormerTest, TasksThatGrewBeyondTheRowBudgetTakeTurns) {
  limits_.max_batch_rows = 4;
  auto parked = Add(MakeJob(1, /*steps=*/4, /*rows=*/3));
  StepCounting({parked});
  former().SetBacklogged(parked.get(), true, now_);
  auto other = Add(MakeJob(1, /*steps=*/4, /*rows=*/3));
  EXPECT_THAT(StepCounting({parked, other}), ElementsAre(0, 1));
  former().SetBacklogged(parked.get(), false, now_);
  EXPECT_THAT(StepCounting({parked, other}), ElementsAre(1, 0));
  EXPECT_THAT(StepCounting({parked, other}), ElementsAre(0, 1));
}

TEST_F(BatchFormerTest, ParkedJobIsNeitherAdmittedNorSteppedAndHoldsNobodyBack) {
  limits_.max_running_tasks = 4;
  auto parked = Add(MakeJob(100, /*steps=*/2));
  EXPECT_THAT(StepCounting({parked}), ElementsAre(3));
  former().SetBacklogged(parked.get(), true, now_);
  auto other = Add(MakeJob(100));
  EXPECT_THAT(StepCounting({parked, other}), ElementsAre(0, 3));
  EXPECT_THAT(StepCounting({parked, other}), ElementsAre(0, 3));
  former().SetBacklogged(parked.get(), false, now_);
  EXPECT_THAT(StepCounting({parked, other})[0], 3);
}

TEST_F(BatchFormerTest, ParkedJobsMemoryHoldsBackOnlyThoseThatDoNotFitBesideIt) {
  limits_.max_running_bytes = 100;
  auto parked = Add(MakeJob(1, /*steps=*/2, 1, /*bytes=*/70));
  StepCounting({parked});
  former().SetBacklogged(parked.get(), true, now_);
  auto large = Add(MakeJob(1, 1, 1, /*bytes=*/60));
  auto small = Add(MakeJob(1, 1, 1, /*bytes=*/20));
  EXPECT_THAT(StepCounting({parked, large, small}), ElementsAre(0, 0, 1));
}

TEST_F(BatchFormerTest, JobParkedForTooLongIsAborted) {
  limits_.max_parked = std::chrono::seconds(1);
  auto job = Add(MakeJob(1, /*steps=*/2));
  Complete(Form());
  now_ = At(100);
  former().SetBacklogged(job.get(), true, now_);
  EXPECT_EQ(former().NextExpiry(), At(1100));
  now_ = At(1099);
  EXPECT_THAT(Form(), IsEmpty());
  EXPECT_THAT(ended_, IsEmpty());
  now_ = At(1100);
  EXPECT_THAT(Form(), IsEmpty());
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].status.code(), absl::StatusCode::kAborted);
}

TEST_F(BatchFormerTest, QueuedJobEndsAtItsDeadlineWithoutAStep) {
  auto job = MakeJob(3);
  job->deadline = At(10);
  Add(job);
  EXPECT_EQ(former().NextExpiry(), At(10));
  now_ = At(10);
  EXPECT_THAT(Form(), IsEmpty());
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(ended_[0].times.started.has_value());
  EXPECT_TRUE(former().empty());
  EXPECT_EQ(former().queued_tasks(), 0);
}

TEST_F(BatchFormerTest, JobInABatchEndsAtItsDeadlineOnlyAfterTheStep) {
  auto job = MakeJob(1, /*steps=*/5);
  job->deadline = At(10);
  Add(job);
  const std::vector<Member> batch = Form();
  now_ = At(20);
  EXPECT_THAT(Form(), IsEmpty());
  EXPECT_THAT(ended_, IsEmpty());
  EXPECT_EQ(former().NextExpiry(), kNoDeadline);  // Complete comes first
  Complete(batch);
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatchFormerTest, CancelledJobLeavesAndItsRoomIsFree) {
  limits_.max_running_tasks = 1;
  auto cancelled = Add(MakeJob(5, /*steps=*/100));
  auto next = Add(MakeJob(1));
  EXPECT_THAT(StepCounting({cancelled, next}), ElementsAre(1, 0));
  former().Cancel(cancelled.get(), absl::CancelledError());
  EXPECT_THAT(StepCounting({cancelled, next}), ElementsAre(0, 1));
  ASSERT_THAT(ended_, SizeIs(2));
  EXPECT_EQ(ended_[0].status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(former().queued_tasks(), 0);
}

TEST_F(BatchFormerTest, CancelOfAJobThatHasLeftDoesNothing) {
  auto job = Add(MakeJob(1));
  Complete(Form());
  former().Cancel(job.get(), absl::CancelledError());
  former().SetBacklogged(job.get(), true, now_);
  EXPECT_THAT(ended_, SizeIs(1));
  EXPECT_TRUE(former().empty());
}

TEST_F(BatchFormerTest, CancelAllEndsQueuedAndRunningJobs) {
  limits_.max_running_tasks = 1;
  Add(MakeJob(1, 100));
  Add(MakeJob(1, 100));
  Complete(Form());
  former().CancelAll(absl::UnavailableError("stop"));
  EXPECT_THAT(Form(), IsEmpty());
  ASSERT_THAT(ended_, SizeIs(2));
  EXPECT_EQ(ended_[1].status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(BatchFormerTest, FailedTaskEndsItsJobAlone) {
  auto bad = Add(MakeJob(3, /*steps=*/2));
  auto good = Add(MakeJob(3, /*steps=*/2));
  std::vector<Member> batch = Form();
  static_cast<CountedTask*>(bad->tasks[1].get())->Fail(absl::InternalError("broken"));
  Complete(batch);
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].job, bad);
  EXPECT_EQ(ended_[0].status, absl::InternalError("broken"));
  EXPECT_THAT(StepCounting({bad, good}), ElementsAre(0, 3));
  EXPECT_TRUE(ended_[1].status.ok());
}

TEST_F(BatchFormerTest, TasksFinishedAtTheStartComeAlongOnce) {
  auto job = std::make_shared<Job>();
  job->tasks.push_back(std::make_unique<CountedTask>(0));
  job->tasks.push_back(std::make_unique<CountedTask>(1));
  Add(job);
  const std::vector<Member> batch = Form();
  EXPECT_THAT(batch, SizeIs(2));
  Complete(batch);
  EXPECT_THAT(ended_, SizeIs(1));
}

TEST_F(BatchFormerTest, TasksOfABatchUnderWayAreInNoOther) {
  Add(MakeJob(4, /*steps=*/3));
  const std::vector<Member> first = Form();
  EXPECT_THAT(first, SizeIs(4));
  EXPECT_THAT(Form(), IsEmpty());
  Add(MakeJob(2));
  const std::vector<Member> second = Form();
  EXPECT_THAT(second, SizeIs(2));
  Complete(first);
  Complete(second);
  EXPECT_THAT(Form(), SizeIs(4));
}

TEST_F(BatchFormerTest, RefusesWhenTheQueueIsFullOfJobs) {
  limits_.max_queued_jobs = 2;
  Add(MakeJob(1));
  Add(MakeJob(1));
  EXPECT_EQ(former().Add(MakeJob(1), now_).code(), absl::StatusCode::kResourceExhausted);
  Form();  // admits them
  EXPECT_TRUE(former().Add(MakeJob(1), now_).ok());
}

TEST_F(BatchFormerTest, RefusesWhenTheQueueIsFullOfTasks) {
  limits_.max_queued_tasks = 10;
  Add(MakeJob(6));
  EXPECT_EQ(former().Add(MakeJob(5), now_).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(former().Add(MakeJob(4), now_).ok());
}

TEST_F(BatchFormerTest, RefusesForGoodWhatNoQueueTakes) {
  limits_.max_queued_tasks = 10;
  EXPECT_EQ(former().Add(MakeJob(11), now_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BatchFormerTest, RefusesWhenTheQueueIsFullOfRows) {
  limits_.max_queued_rows = 100;
  limits_.max_running_tasks = 1;
  Add(MakeJob(4, 1, /*rows=*/20));
  EXPECT_EQ(former().queued_rows(), 80);
  const absl::Status refused = former().Add(MakeJob(3, 1, /*rows=*/7), now_);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(), "the queue is full: 80 rows wait, 21 more would exceed 100");
  EXPECT_EQ(ReasonOf(refused), "queue_full");
  const absl::Status too_large = former().Add(MakeJob(3, 1, /*rows=*/34), now_);
  EXPECT_EQ(too_large.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(too_large.message(), "102 rows (tokens, nodes) in one request, at most 100");
  EXPECT_EQ(ReasonOf(too_large), "too_large");
  EXPECT_EQ(RetryDelayOf(too_large).count(), 0);
  const std::vector<Member> batch = Form();
  EXPECT_EQ(former().queued_rows(), 60);
  EXPECT_TRUE(former().Add(MakeJob(3, 1, /*rows=*/7), now_).ok());
  former().CancelAll(absl::CancelledError());
  Complete(batch);
  Form();
  EXPECT_EQ(former().queued_rows(), 0);
}

TEST_F(BatchFormerTest, RoomIsCheckedWithoutTasksAsForTheSmallest) {
  limits_.max_queued_tasks = 3;
  EXPECT_TRUE(former().CheckRoom(Job(), now_).ok());
  Add(MakeJob(3));
  const absl::Status refused = former().CheckRoom(Job(), now_);
  EXPECT_EQ(refused.message(), "the queue is full: 3 tasks wait, 1 more would exceed 3");
  EXPECT_EQ(RetryDelayOf(refused), kDefaultRetryDelay);
  Job internal;
  internal.internal = true;
  EXPECT_TRUE(former().CheckRoom(internal, now_).ok());
}

// One task of ten rows at a time, each for 100 ms.
class BatchFormerDeadlineTest : public BatchFormerTest {
 protected:
  BatchFormerDeadlineTest() { limits_.max_running_tasks = 1; }

  static std::shared_ptr<Job> TenRows() { return MakeJob(1, 1, /*rows=*/10); }
  absl::Status AddWithin(int milliseconds, Priority priority = kDefaultPriority) {
    auto job = WithPriority(priority, TenRows());
    job->deadline = now_ + std::chrono::milliseconds(milliseconds);
    return former().Add(job, now_);
  }
  // The step under way ends, and the next one begins.
  void StepFor(int milliseconds) {
    now_ += std::chrono::milliseconds(milliseconds);
    Complete(batch_);
    batch_ = Form();
  }
  // Steps until the times are known; a step is under way and `jobs` wait.
  void Learn(int jobs) {
    for (int i = 0; i < 101 + jobs; ++i) Add(TenRows());
    batch_ = Form();
    for (int i = 0; i < 100; ++i) StepFor(100);
    ASSERT_EQ(former().queued_jobs(), jobs);
  }

  std::vector<Member> batch_;
};

TEST_F(BatchFormerDeadlineTest, RefusesAtOnceWhatWouldLikelyMissItsDeadline) {
  Learn(/*jobs=*/7);  // expected: 700 ms in the queue, and 100 ms to run
  const absl::Status refused = AddWithin(950);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(refused.message()),
            "the expected wait is 0.800 s (0.700 s in the queue, then 0.100 s), more than four fifths of the 0.950 s "
            "until the deadline");
  EXPECT_EQ(ReasonOf(refused), "expected_wait");
  EXPECT_NEAR(RetryDelayOf(refused).count(), 800, 1);
  EXPECT_TRUE(AddWithin(1010).ok());
  EXPECT_FALSE(AddWithin(1010).ok()) << "there is one more in front of it";
  EXPECT_TRUE(former().Add(TenRows(), now_).ok()) << "it has no deadline";
}

TEST_F(BatchFormerDeadlineTest, DeadlineThatHasPassedIsNotARefusal) {
  Learn(/*jobs=*/9);
  EXPECT_TRUE(AddWithin(0).ok());
  Form();
  ASSERT_FALSE(ended_.empty());
  EXPECT_EQ(ended_.back().status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatchFormerDeadlineTest, NeitherUnknownTimesNorAnEmptyQueueRefuse) {
  for (int i = 0; i < 9; ++i) Add(TenRows());
  EXPECT_TRUE(AddWithin(1).ok());
  while (!former().empty()) StepFor(100);
  EXPECT_TRUE(AddWithin(1).ok());
}

TEST_F(BatchFormerDeadlineTest, OnlyTheJobsOfItsPriorityDelayANewOne) {
  Learn(/*jobs=*/9);
  EXPECT_TRUE(AddWithin(200, Priority::kHigh).ok());
  EXPECT_EQ(AddWithin(200).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(BatchFormerDeadlineTest, LargeJobDelaysOthersByItsFirstTurnAlone) {
  Learn(/*jobs=*/1);
  Add(MakeJob(1000, 1, /*rows=*/10));  // of its 10,000 rows a turn has 64
  EXPECT_TRUE(AddWithin(1100).ok()) << "74 rows wait: 740 ms, and 100 ms to run";
  EXPECT_FALSE(AddWithin(1100).ok());
}

TEST_F(BatchFormerDeadlineTest, BurstAfterAQuietTimeIsTaken) {
  limits_.max_running_tasks = 1000;
  for (int i = 0; i < 20; ++i) {  // each waits for a step, and then there is room
    EXPECT_TRUE(AddWithin(1000).ok());
    StepFor(100);
  }
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(AddWithin(1000).ok()) << i;
}

TEST_F(BatchFormerDeadlineTest, QueueThatRefusesByItsDeadlinesAloneTakesRequestsAgain) {
  Learn(/*jobs=*/9);
  StepFor(5000);  // the rate collapses
  EXPECT_FALSE(AddWithin(4000).ok());
  // Every request from now on has a deadline that is refused at first; steps are as fast as before the collapse.
  int steps = 0;
  while (!AddWithin(400).ok()) {
    StepFor(100);
    ASSERT_LT(++steps, 10);  // at the latest when those in the queue have left
  }
  for (int i = 0; i < 20; ++i) {
    StepFor(100);
    EXPECT_TRUE(AddWithin(400).ok()) << i;
  }
  for (const Ended& ended : ended_) EXPECT_TRUE(ended.status.ok());
}

TEST_F(BatchFormerDeadlineTest, QueueWhoseJobsAreAllCancelledRefusesNobody) {
  Learn(/*jobs=*/9);
  former().CancelAll(absl::CancelledError());
  StepFor(100);
  EXPECT_TRUE(AddWithin(1).ok());
}

TEST_F(BatchFormerDeadlineTest, AcceptedJobsMeetTheirDeadlinesUnderTenfoldOverload) {
  limits_.max_running_tasks = 8;
  int accepted = 0;
  for (int step = 0; step < 1000; ++step) {
    for (int i = 0; i < 20; ++i) {  // two a step can be served: eight run, for four steps
      auto job = MakeJob(1, /*steps=*/4, /*rows=*/1 + (i * 7 + step) % 20);
      job->deadline = now_ + std::chrono::milliseconds(1000);
      accepted += former().Add(job, now_).ok();
    }
    StepFor(10);
  }
  int expired = 0;
  for (const Ended& ended : ended_) expired += absl::IsDeadlineExceeded(ended.status);
  EXPECT_GE(accepted, 1900);  // nearly all that can be served
  EXPECT_LE(expired, accepted / 100);
}

TEST_F(BatchFormerDeadlineTest, WhatAnEarlierFormerLearntOfRunTimesHoldsFromTheFirstJobOn) {
  Learn(/*jobs=*/0);
  BatchFormer next(limits_, former().run_time());
  auto job = TenRows();
  job->deadline = now_ + std::chrono::milliseconds(100);
  EXPECT_TRUE(next.Add(TenRows(), now_).ok());
  EXPECT_EQ(ReasonOf(next.Add(job, now_)), "expected_wait");
}

TEST_F(BatchFormerDeadlineTest, RunningSetIsKeptSmallEnoughForTheDeadlines) {
  limits_.max_running_tasks = 256;  // with so many a task would take two seconds
  int accepted = 0;
  TimePoint begin;
  for (int step = 0; step < 2000; ++step) {
    if (step == 100) {  // at first nothing is known, and all are taken
      ended_.clear();
      accepted = 0;
      begin = now_;
    }
    const int arrivals = 1 + static_cast<int>(batch_.size());  // fifteen times what is served
    for (int i = 0; i < arrivals; ++i) {
      auto job = MakeJob(1, /*steps=*/5 + (i * 7 + step) % 21, /*rows=*/1);
      job->deadline = now_ + std::chrono::milliseconds(1000);
      accepted += former().Add(job, now_).ok();
    }
    StepFor(1 + static_cast<int>(batch_.size()) / 2);
  }
  int expired = 0;
  for (const Ended& ended : ended_) expired += absl::IsDeadlineExceeded(ended.status);
  EXPECT_LE(expired, accepted / 100);
  // Each millisecond could have served two steps of tasks of fifteen.
  const double milliseconds = std::chrono::duration<double, std::milli>(now_ - begin).count();
  EXPECT_GE(accepted, 0.9 * milliseconds * 2 / 15);
}

TEST_F(BatchFormerTest, TakesInternalJobsAlthoughTheQueueIsFull) {
  limits_.max_queued_jobs = 1;
  limits_.max_queued_tasks = 1;
  Add(MakeJob(1));
  auto internal = MakeJob(2);
  internal->internal = true;
  Add(internal);
  EXPECT_EQ(former().queued_jobs(), 2);
  EXPECT_EQ(former().queued_tasks(), 3);
  EXPECT_EQ(former().Add(MakeJob(1), now_).code(), absl::StatusCode::kResourceExhausted);
  Complete(Form());
  EXPECT_THAT(ended_, SizeIs(2));
}

}  // namespace
}  // namespace heed
