// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/scheduler.h"

#include <atomic>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_translator.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Far enough to never pass in a test.
const TimePoint kSoon = Clock::now() + std::chrono::hours(1);

// A job and what its observer heard.
class Client : public JobObserver {
 public:
  Client(std::shared_ptr<const FakeTranslator> model, const std::vector<std::string>& texts,
         TranslateOptions options = {}) {
    auto started = model->Start(texts, options);
    job_ = std::make_shared<Job>();
    job_->model = std::move(model);
    for (auto& task : started->tasks) job_->tasks.push_back(std::move(task));
    job_->observer = this;
  }

  const std::shared_ptr<Job>& job() { return job_; }

  // From now on it throws when it is given output.
  void Throw() { throws_ = true; }

  void OnTaskOutput(int index, Task& task) override {
    if (throws_) throw std::bad_alloc();
    MutexLock lock(mutex_);
    pieces_.push_back({index, static_cast<TranslationTask&>(task).TakeText()});
    changed_.NotifyAll();
  }
  void OnJobDone(const absl::Status& status, const JobTimes& times) override {
    MutexLock lock(mutex_);
    ++done_;
    status_ = status;
    times_ = times;
    changed_.NotifyAll();
  }

  // Waits for the end.
  absl::Status Wait() {
    MutexLock lock(mutex_);
    while (done_ == 0) changed_.Wait(mutex_);
    return status_;
  }
  void WaitForPieces(size_t count) {
    MutexLock lock(mutex_);
    while (pieces_.size() < count) changed_.Wait(mutex_);
  }
  std::vector<std::pair<int, std::string>> pieces() {
    MutexLock lock(mutex_);
    return pieces_;
  }
  int done() {
    MutexLock lock(mutex_);
    return done_;
  }
  JobTimes times() {
    MutexLock lock(mutex_);
    return times_;
  }
  std::string TextOf(int index) {
    return static_cast<const TranslationTask&>(*job_->tasks[index]).result().hypotheses.at(0).text;
  }

 private:
  std::shared_ptr<Job> job_;
  std::atomic<bool> throws_ = false;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::pair<int, std::string>> pieces_ GUARDED_BY(mutex_);
  int done_ GUARDED_BY(mutex_) = 0;
  absl::Status status_ GUARDED_BY(mutex_);
  JobTimes times_ GUARDED_BY(mutex_);
};

class SchedulerTest : public ::testing::Test {
 protected:
  ~SchedulerTest() override { model_->Release(); }

  Scheduler& scheduler() {
    if (scheduler_ == nullptr) scheduler_ = std::make_unique<Scheduler>(options_, metrics_);
    return *scheduler_;
  }
  std::unique_ptr<Client> Submit(const std::vector<std::string>& texts, TranslateOptions options = {}) {
    auto client = std::make_unique<Client>(model_, texts, options);
    EXPECT_TRUE(scheduler().Submit(client->job()).ok());
    return client;
  }
  // Until Drain, called by another thread, has begun.
  void SubmitUntilRefused() {
    while (true) {
      auto client = std::make_unique<Client>(model_, std::vector<std::string>{"late"});
      const absl::Status status = scheduler().Submit(client->job());
      if (absl::IsUnavailable(status)) return;
      if (status.ok()) accepted_late_.push_back(std::move(client));
      std::this_thread::yield();
    }
  }
  static TranslateOptions Streaming() {
    TranslateOptions options;
    options.stream = true;
    return options;
  }

  SchedulerOptions options_;
  Metrics metrics_;
  std::shared_ptr<FakeTranslator> model_ = std::make_shared<FakeTranslator>();
  std::vector<std::unique_ptr<Client>> accepted_late_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, AnObserverThatThrowsEndsItsJobAlone) {
  model_->Hold();
  auto bad = Submit({"a b c"});
  bad->Throw();
  auto good = Submit({"d e f"});
  model_->Release();
  EXPECT_EQ(bad->Wait().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(good->Wait().ok());
}

TEST_F(SchedulerTest, RunsAJobToItsEnd) {
  auto client = Submit({"one two. three", "four"});
  EXPECT_TRUE(client->Wait().ok());
  EXPECT_EQ(client->TextOf(0), "ONE TWO.");
  EXPECT_EQ(client->TextOf(1), "THREE");
  EXPECT_EQ(client->TextOf(2), "FOUR");
  const JobTimes times = client->times();
  EXPECT_LE(times.submitted, *times.started);
  EXPECT_LE(*times.started, *times.first_output);
  EXPECT_LE(*times.first_output, *times.done);
}

TEST_F(SchedulerTest, OutputComesStepByStep) {
  auto client = Submit({"one two three"}, Streaming());
  EXPECT_TRUE(client->Wait().ok());
  EXPECT_THAT(client->pieces(), ElementsAre(std::pair(0, "ONE"), std::pair(0, " TWO"), std::pair(0, " THREE")));
}

TEST_F(SchedulerTest, BlankTextNeedsNoStep) {
  auto client = Submit({"", "  "});
  EXPECT_TRUE(client->Wait().ok());
  EXPECT_THAT(client->pieces(), SizeIs(2));
  EXPECT_THAT(model_->batch_sizes(), IsEmpty());
}

TEST_F(SchedulerTest, JobJoinsTheRunningBatchAtTheNextStepAndLeavesWhenItIsDone) {
  model_->Hold();
  auto first = Submit({"a b c d e"});
  model_->WaitUntilHeld();
  auto second = Submit({"x"});
  model_->Allow(2);
  EXPECT_TRUE(second->Wait().ok());
  EXPECT_EQ(first->done(), 0);
  model_->Release();
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_THAT(model_->batch_sizes(), ElementsAre(1, 2, 1, 1, 1));
}

TEST_F(SchedulerTest, OneLineIsNotStarvedByTenThousand) {
  options_.limits.max_running_tasks = 8;
  model_->Hold();
  std::vector<std::string> many(10'000, "a b");
  auto large = Submit(many);
  model_->WaitUntilHeld();
  auto small = Submit({"x"});
  model_->Allow(2);
  EXPECT_TRUE(small->Wait().ok());
  scheduler().Cancel(*large->job());
  model_->Release();
  EXPECT_EQ(large->Wait().code(), absl::StatusCode::kCancelled);
}

TEST_F(SchedulerTest, CancelTakesEffectBetweenSteps) {
  model_->Hold();
  auto client = Submit({"a b c d"});
  model_->WaitUntilHeld();
  scheduler().Cancel(*client->job());
  model_->Release();
  EXPECT_EQ(client->Wait().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(model_->batch_sizes(), SizeIs(1));
  EXPECT_THAT(metrics_.Text(), HasSubstr("heed_cancellations_total{model=\"fake\",reason=\"client\"} 1"));
}

TEST_F(SchedulerTest, CancelOfAJobThatHasEndedDoesNothing) {
  auto client = Submit({"a"});
  EXPECT_TRUE(client->Wait().ok());
  scheduler().Cancel(*client->job());
  scheduler().SetBacklogged(*client->job(), true);
  scheduler().Drain(kSoon);
  EXPECT_EQ(client->done(), 1);
}

TEST_F(SchedulerTest, ExpiredJobIsNotStepped) {
  Client client(model_, {"a"});
  client.job()->deadline = Clock::now();
  EXPECT_TRUE(scheduler().Submit(client.job()).ok());
  EXPECT_EQ(client.Wait().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(model_->batch_sizes(), IsEmpty());
}

TEST_F(SchedulerTest, DeadlineWakesAnIdleExecutor) {
  Client client(model_, {"a b"});
  model_->Hold();
  EXPECT_TRUE(scheduler().Submit(client.job()).ok());
  model_->WaitUntilHeld();
  client.job()->deadline = Clock::now() + std::chrono::milliseconds(20);  // not before: its step could come too late
  scheduler().SetBacklogged(*client.job(), true);  // nothing to step, so only the clock can end it
  model_->Release();
  EXPECT_EQ(client.Wait().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SchedulerTest, FailedTaskFailsItsJobAlone) {
  model_->Hold();
  auto good = Submit({"a b c"});
  model_->WaitUntilHeld();
  auto bad = Submit({"x fail y", "z"});
  model_->Release();
  EXPECT_EQ(bad->Wait().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(good->Wait().ok());
  EXPECT_EQ(bad->done(), 1);
}

TEST_F(SchedulerTest, FullQueueRefusesAtOnce) {
  options_.limits.max_queued_jobs = 1;
  options_.limits.max_running_tasks = 1;
  model_->Hold();
  auto running = Submit({"a"});
  model_->WaitUntilHeld();
  auto queued = Submit({"b"});
  Client refused(model_, {"c"});
  EXPECT_EQ(scheduler().Submit(refused.job()).code(), absl::StatusCode::kResourceExhausted);
  Job without_tasks;
  without_tasks.model = model_;
  EXPECT_EQ(scheduler().CheckRoom(without_tasks).code(), absl::StatusCode::kResourceExhausted);
  Job of_another_model;
  of_another_model.model = std::make_shared<FakeTranslator>("other");
  EXPECT_TRUE(scheduler().CheckRoom(of_another_model).ok());
  model_->Release();
  EXPECT_TRUE(running->Wait().ok());
  EXPECT_TRUE(queued->Wait().ok());
  EXPECT_EQ(refused.done(), 0);
  EXPECT_THAT(metrics_.Text(), HasSubstr("heed_rejections_total{model=\"fake\",reason=\"queue_full\"} 2"));
  scheduler().Drain(kSoon);
  EXPECT_EQ(scheduler().CheckRoom(without_tasks).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SchedulerTest, ModelMayHaveLimitsOfItsOwn) {
  options_.limits.max_queued_tasks = 2;
  options_.model_limits["fake"].max_queued_tasks = 3;
  EXPECT_EQ(scheduler().LimitsOf("fake").max_queued_tasks, 3);
  EXPECT_EQ(scheduler().LimitsOf("other").max_queued_tasks, 2);
  auto client = Submit({"a", "b", "c"});
  EXPECT_TRUE(client->Wait().ok());
  Client other(std::make_shared<FakeTranslator>("other"), {"a", "b", "c"});
  EXPECT_EQ(scheduler().Submit(other.job()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(metrics_.Text(), HasSubstr("heed_rejections_total{model=\"other\",reason=\"too_large\"} 1"));
}

TEST_F(SchedulerTest, ParkedJobWaitsAndOthersGoOn) {
  model_->Hold();
  auto parked = Submit({"a b c"}, Streaming());
  model_->WaitUntilHeld();
  scheduler().SetBacklogged(*parked->job(), true);
  auto other = Submit({"x y z"});
  model_->Release();
  EXPECT_TRUE(other->Wait().ok());
  EXPECT_THAT(parked->pieces(), SizeIs(1));
  scheduler().SetBacklogged(*parked->job(), false);
  EXPECT_TRUE(parked->Wait().ok());
}

TEST_F(SchedulerTest, ModelsTakeTurnsByRows) {
  auto other = std::make_shared<FakeTranslator>("other");
  model_->Hold();
  auto first = Submit({"a b c d e f g h"});
  model_->WaitUntilHeld();
  Client second(other, {"x y"});
  EXPECT_TRUE(scheduler().Submit(second.job()).ok());
  model_->Allow(1);
  // The other model is behind: it has both of its steps before this one's next. (Its first has 3 rows, this one's
  // had 9.)
  EXPECT_TRUE(second.Wait().ok());
  EXPECT_THAT(other->batch_sizes(), SizeIs(2));
  model_->Release();
  EXPECT_TRUE(first->Wait().ok());
}

TEST_F(SchedulerTest, DrainFinishesWhatWasAcceptedAndRefusesMore) {
  model_->Hold();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(Submit({"a b c", "d"}));
  model_->WaitUntilHeld();
  int64_t cut_off = -1;
  std::thread drain([&] { cut_off = scheduler().Drain(kSoon); });
  SubmitUntilRefused();
  model_->Release();
  drain.join();
  EXPECT_EQ(cut_off, 0);
  for (auto& client : accepted_late_) EXPECT_TRUE(client->Wait().ok());
  for (auto& client : clients) EXPECT_TRUE(client->Wait().ok());
}

TEST_F(SchedulerTest, DrainWaitsForAdmittedRequestsAndTakesTheirJobs) {
  auto admission = scheduler().Admit();
  ASSERT_TRUE(admission.ok());
  int64_t cut_off = -1;
  std::thread drain([&] { cut_off = scheduler().Drain(kSoon); });
  SubmitUntilRefused();
  EXPECT_EQ(scheduler().Admit().status().code(), absl::StatusCode::kUnavailable);
  auto client = std::make_unique<Client>(model_, std::vector<std::string>{"a b"});
  client->job()->admitted = true;
  EXPECT_TRUE(scheduler().Submit(client->job()).ok());
  EXPECT_TRUE(client->Wait().ok());
  EXPECT_EQ(cut_off, -1);  // the admission lasts
  admission->reset();
  drain.join();
  EXPECT_EQ(cut_off, 0);
}

TEST_F(SchedulerTest, JobOfAnAdmittedRequestThatComesAfterTheDrainIsRefused) {
  auto admission = scheduler().Admit();
  ASSERT_TRUE(admission.ok());
  scheduler().Drain(Clock::now());
  auto client = std::make_unique<Client>(model_, std::vector<std::string>{"a"});
  client->job()->admitted = true;
  EXPECT_EQ(scheduler().Submit(client->job()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SchedulerTest, DrainCutsOffWhatOutlastsItsDeadline) {
  auto client = Submit({"a"});
  EXPECT_TRUE(client->Wait().ok());
  model_->Hold();
  auto stuck = Submit({"a b c d"});
  model_->WaitUntilHeld();
  int64_t cut_off = 0;
  std::thread drain([&] { cut_off = scheduler().Drain(Clock::now()); });
  SubmitUntilRefused();
  model_->Release();
  drain.join();
  EXPECT_GE(cut_off, 1);
  EXPECT_EQ(stuck->Wait().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SchedulerTest, DestructionEndsEveryJob) {
  model_->Hold();
  auto client = Submit({"a b c"});
  model_->WaitUntilHeld();
  std::thread destroy([&] { scheduler_.reset(); });
  model_->Release();
  destroy.join();
  EXPECT_EQ(client->done(), 1);
}

TEST_F(SchedulerTest, SeveralExecutorsServeEveryJob) {
  for (const int executors : {3, 0}) {
    scheduler_.reset();
    options_.threads = 3;
    options_.executors = executors;
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(Submit({"a b c. d e", "f", ""}, Streaming()));
    for (auto& client : clients) {
      EXPECT_TRUE(client->Wait().ok());
      std::map<int, std::string> texts;
      for (const auto& [index, piece] : client->pieces()) texts[index] += piece;
      EXPECT_EQ(texts[0], "A B C.");
      EXPECT_EQ(texts[1], "D E");
    }
    // One after the other: as many steps as there is work for.
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Submit({"a b c"})->Wait().ok());
    EXPECT_THAT(metrics_.Text(), HasSubstr(executors == 0 ? "heed_executors 1" : "heed_executors 3"));
  }
}

TEST_F(SchedulerTest, StepsAndQueueAreMeasured) {
  auto client = Submit({"a b"});
  EXPECT_TRUE(client->Wait().ok());
  scheduler_.reset();
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("heed_step_seconds_count{model=\"fake\"} 2"));
  EXPECT_THAT(text, HasSubstr("heed_batch_rows_sum{model=\"fake\"} 4"));
  EXPECT_THAT(text, HasSubstr("heed_queue_seconds_count{model=\"fake\"} 1"));
  EXPECT_THAT(text, HasSubstr("heed_first_output_seconds_count{model=\"fake\"} 1"));
  EXPECT_THAT(text, HasSubstr("heed_queued_requests{model=\"fake\"} 0"));
  EXPECT_THAT(text, HasSubstr("heed_running_tasks{model=\"fake\"} 0"));
}

}  // namespace
}  // namespace heed
