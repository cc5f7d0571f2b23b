// SPDX-License-Identifier: Apache-2.0
// Runs jobs: the executors' loop around the batch formers.
//
// An executor drops what is cancelled or expired, admits what fits, calls Model::Step, delivers what came out, retires
// what is finished, and begins again. A job joins the running batch of its model at the next step and leaves it when
// its last task is done. All models share the executors and take turns by rows: the model that has had the fewest steps
// next, so none waits for longer than one step of another while it is behind.
//
// How many executors step at the same time, each with a share of the threads, follows the load (ThreadShares). What is
// ready is shared out among them. An answer depends neither on who steps beside it nor on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/scheduling/batch_former.h"
#include "server/scheduling/job.h"
#include "server/scheduling/model_statistics.h"
#include "server/scheduling/thread_shares.h"
#include "server/telemetry/metrics.h"

namespace heed {

struct SchedulerOptions {
  int threads = 1;     // the thread budget: no more run steps
  int executors = 0;   // that step at the same time, each on its share of the threads, at most `threads`; 0: by load
  BatchLimits limits;  // of each model that is not in the following
  std::map<std::string, BatchLimits, std::less<>> model_limits;
};

// Thread-safe. The members that gRPC's threads call hold a lock for microseconds and never wait for a step.
class Scheduler {
 public:
  // Starts the executors. `metrics` outlives it.
  Scheduler(const SchedulerOptions& options, Metrics& metrics);
  // Ends the jobs that are left with UNAVAILABLE, after the step under way.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Accepts the job, or refuses it and never calls its observer: RESOURCE_EXHAUSTED the model's queue is full, or the
  // job would likely miss its deadline, try again later (BatchFormer::Add); INVALID_ARGUMENT more than any queue takes;
  // UNAVAILABLE draining. Returns at once. The observer's calls may come before it returns.
  absl::Status Submit(std::shared_ptr<Job> job) EXCLUDES(mutex_);
  // The same answer for a job that has no tasks yet, if it had the smallest one: so that a refusal costs no more than
  // the question. A refusal counts as one of Submit; OK promises nothing.
  absl::Status CheckRoom(const Job& job) EXCLUDES(mutex_);
  // A request that was taken before its job, if it ever has one. While it lasts, Drain waits for it.
  class Admission {
   public:
    explicit Admission(Scheduler& scheduler) : scheduler_(scheduler) {}
    ~Admission() { scheduler_.EndAdmission(); }
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

   private:
    Scheduler& scheduler_;
  };
  // UNAVAILABLE: new requests are refused. Otherwise the request's job is taken until Drain has given it up
  // (Job::admitted).
  absl::StatusOr<std::unique_ptr<Admission>> Admit() EXCLUDES(mutex_);

  // The client has gone: the job ends with CANCELLED, before its next step. Nothing if it has ended.
  void Cancel(const Job& job);

  // The job ends with `status`, which is not OK, before its next step. Nothing if it has ended. From an observer's call
  // too.
  void End(const Job& job, absl::Status status) EXCLUDES(mutex_);

  // Parks the job until its reader has drained, or lets it go on. Nothing if it has ended. From an observer's call too.
  void SetBacklogged(const Job& job, bool backlogged);

  // From now on refuses new jobs, those of what was accepted before aside (Job::internal).
  void Refuse() EXCLUDES(mutex_);
  // From now on refuses all jobs but those of admitted requests. Waits until all that were accepted or admitted have
  // ended; jobs that have not at `deadline` end with UNAVAILABLE after the step under way, and no more are taken.
  // Returns how many these were.
  int64_t Drain(TimePoint deadline);

  // What a model has to do now.
  struct Backlog {
    int64_t queued_jobs = 0;
    int64_t queued_tasks = 0;
    int64_t running_tasks = 0;
  };
  Backlog BacklogOf(const Model& model) EXCLUDES(mutex_);

  const BatchLimits& LimitsOf(std::string_view model_name) const;
  // What the models have done, internal jobs aside.
  ModelStatistics& statistics() { return statistics_; }

  // How many jobs and requests were refused because of Refuse and Drain.
  int64_t refused_by_drain() EXCLUDES(mutex_);

 private:
  // The batches of one model. Lives while it has jobs.
  struct Lane {
    Lane(std::shared_ptr<const Model> lane_model, const BatchLimits& limits, const RunTimeEstimate& run_time,
         int64_t rows)
        : model(std::move(lane_model)), former(limits, run_time), served_rows(rows) {}
    std::shared_ptr<const Model> model;
    BatchFormer former;
    int64_t served_rows;  // in steps so far, or what the others had when it came
  };
  // What an executor carries from one turn to the next.
  struct Turn {
    std::shared_ptr<const Model> model;
    std::vector<BatchFormer::Member> batch;
    ThreadShares::Share share;  // that the batch is stepped with
    ThreadShares::Load load;    // that the batch is
    std::unique_ptr<Context> context;
    TimePoint step_end;
    std::vector<BatchFormer::Ended> ended;
  };

  // `index`: among the executors, from 0.
  void Execute(int index) EXCLUDES(mutex_);
  // Gives the last turn's batch back and waits for the next: a batch, or jobs that ended. False: the executor is to
  // stop.
  bool NextTurn(Turn& turn) EXCLUDES(mutex_);
  // `model`: its name, empty where there is none yet.
  absl::Status CheckAccepting(std::string_view model, bool internal, bool admitted) REQUIRES(mutex_);
  void EndAdmission() EXCLUDES(mutex_);
  // False: there is no batch now for one more executor.
  bool TakeTurn(Turn& turn, TimePoint now) REQUIRES(mutex_);
  // The contexts of each number of steps that there may be are made when the server starts: this executor's part of
  // them.
  void MakeContexts(int index) EXCLUDES(mutex_);
  std::unique_ptr<Context> MakeContext(int threads) const;
  void TakeShare(Turn& turn, const ThreadShares::Share& share) REQUIRES(mutex_);
  void GiveBackShare(Turn& turn) REQUIRES(mutex_);
  void Step(Turn& turn);
  // Model::Step, and what it throws as the error of all tasks: how far each has come is not known.
  static void Advance(const Model& model, absl::Span<Task* const> tasks, Context& context);
  // Tells the observers of the jobs that ended.
  void Report(Turn& turn) EXCLUDES(mutex_);
  void Publish(const Lane& lane) REQUIRES(mutex_);
  // Those without jobs.
  void CloseLanes() REQUIRES(mutex_);

  const SchedulerOptions options_;
  Metrics& metrics_;
  ModelStatistics statistics_;

  Mutex mutex_;
  CondVar work_;  // there may be something to do
  CondVar idle_;  // unfinished_jobs_ is 0
  std::map<const Model*, Lane> lanes_ GUARDED_BY(mutex_);
  // Of models by name, from when they last had jobs, whatever the version.
  std::map<std::string, RunTimeEstimate> run_times_ GUARDED_BY(mutex_);
  ThreadShares shares_ GUARDED_BY(mutex_);
  // Those with no step, by the threads of their teams.
  std::map<int, std::vector<std::unique_ptr<Context>>> idle_contexts_ GUARDED_BY(mutex_);
  int64_t served_rows_ GUARDED_BY(mutex_) = 0;      // served_rows of the lane that had the last turn
  int64_t unfinished_jobs_ GUARDED_BY(mutex_) = 0;  // accepted, OnJobDone not yet returned
  int64_t refused_by_drain_ GUARDED_BY(mutex_) = 0;
  bool refusing_ GUARDED_BY(mutex_) = false;
  bool draining_ GUARDED_BY(mutex_) = false;
  bool drained_ GUARDED_BY(mutex_) = false;  // Drain waits no longer
  int64_t admissions_ GUARDED_BY(mutex_) = 0;
  bool stop_ GUARDED_BY(mutex_) = false;

  std::vector<std::thread> executors_;  // constant after construction
};

}  // namespace heed
