// SPDX-License-Identifier: Apache-2.0
// Decides which tasks of one model are in its next step: admission, fairness, budgets. A plain data structure that
// takes the time as an argument: no threads, no locks, no clock. The scheduler drives it.
//
// A job waits in the queue. Its tasks are admitted to the running set one by one, and each leaves when it is finished.
//
// Turns. At its turn a job may admit tasks worth `turn_rows` rows; then it is the next job's turn. So a request of
// 10,000 tasks delays a request of one task by a turn, not by 10,000 tasks.
//
// Priorities. Turns go to the jobs of the highest priority that waits. But a level that waits while higher ones admit
// kHigherTurns turns' worth of rows gets the next turn, and then pays kHigherTurns rows for each row that it admits. So
// if all levels wait, the lowest gets a ninth of the rows, and the middle one a ninth of the rest. Between two turns of
// a level, higher levels admit at most nine turns (and a task), or eight times the rows of its last turn.
//
// Deadlines. A job is refused at once if its deadline would likely pass before it is done: if the expected wait behind
// the jobs of its priority, plus the run time of a task, exceeds four fifths of the time that it has left. (Under
// overload the queue is as long as it may be, and estimates err to both sides.) Each waiting job counts with its first
// turn, because that is the delay that it causes. A job that waits for no other job is never refused.
//
// Room for newcomers. A job that has running tasks admits more only into the first three quarters of each budget. The
// last quarter is for jobs that have none yet: they join at the next step, however much older jobs have filled.
//
// Large tasks. A task that does not fit holds back those behind it, so that it cannot starve. One with more rows than a
// whole budget is admitted when it would run alone; one with more memory than the budget counts as three quarters of
// it. A task that still takes more than a quarter of a step after its first one (a large graph takes thousands of
// steps) no longer counts its rows when a job without running tasks is admitted: the two take turns instead. If the
// running tasks' rows exceed the budget of a step, those that were stepped longest ago go first.
//
// Slow readers. A job whose reader lags is parked: its tasks are neither admitted nor stepped until the reader has
// caught up. Those that run keep their memory, but count neither as rows nor as running tasks. Nobody else waits for
// it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/scheduling/job.h"
#include "server/scheduling/priority.h"
#include "server/scheduling/wait_estimate.h"

namespace heed {

// Limits of one model's queue and batches. All at least 1.
struct BatchLimits {
  int64_t max_queued_jobs = 1024;                         // jobs with no task admitted yet; beyond it Add refuses
  int64_t max_queued_tasks = 100'000;                     // tasks not yet admitted; beyond it Add refuses
  int64_t max_queued_rows = 10'000'000;                   // of their next steps; beyond it Add refuses
  int64_t max_running_tasks = 256;                        // tasks admitted and unfinished, those of parked jobs aside
  int64_t max_batch_rows = 512;                           // rows of one step
  int64_t max_running_bytes = 1 << 30;                    // sum of peak_bytes() of the running tasks
  int64_t max_answer_bytes = 128 << 20;                   // sum of answer_bytes() of a job's tasks, or of each
  int64_t turn_rows = 64;                                 // rows that a job admits before the next job's turn
  Clock::duration max_parked = std::chrono::seconds(30);  // a job parked for longer ends with ABORTED
};

// Not thread-safe.
class BatchFormer {
 public:
  // Turns' worth of rows that higher priorities admit before a lower one that waits has its turn.
  static constexpr int64_t kHigherTurns = 8;

  // A task in a batch: nothing else touches it until Complete.
  struct Member {
    std::shared_ptr<Job> job;
    int index;  // of the task in its job
    Task* task;
    bool has_output = false;  // set by the caller after the step: the task gave something to its reader
  };
  // A job that has left: its tasks are in no batch any more.
  struct Ended {
    std::shared_ptr<Job> job;
    absl::Status status;
    JobTimes times;
  };

  // `run_time`: what an earlier one learnt of the model's tasks.
  explicit BatchFormer(const BatchLimits& limits, const RunTimeEstimate& run_time = {})
      : limits_(limits), run_time_(run_time) {}
  BatchFormer(const BatchFormer&) = delete;
  BatchFormer& operator=(const BatchFormer&) = delete;

  // Appends a job. RESOURCE_EXHAUSTED, with a reason and a delay (server/scheduling/refusal.h): the queue is full
  // ("queue_full"), or the deadline would likely pass ("expected_wait"). INVALID_ARGUMENT ("too_large"): its tasks
  // would not fit into an empty queue. RESOURCE_EXHAUSTED ("answer_too_large"): what they ask for is more than an
  // answer may be. An internal job (Job::internal) is never refused: who submits those has few at a time.
  absl::Status Add(std::shared_ptr<Job> job, TimePoint now);
  // What Add would answer; for a job that has no tasks yet, if it had the smallest one.
  absl::Status CheckRoom(const Job& job, TimePoint now) const;

  // Ends the job with `status` (not OK) at the next Refresh, or after the batch that its tasks stand in. Nothing if it
  // has left or is about to.
  void Cancel(const Job* job, absl::Status status);
  void CancelAll(const absl::Status& status);

  // Parks the job, or lets it go on. Nothing if it has left.
  void SetBacklogged(const Job* job, bool backlogged, TimePoint now);

  // Appends to `ended` the jobs that were cancelled, are past their deadline or were parked for too long; admits.
  void Refresh(TimePoint now, std::vector<Ended>& ended);
  // What can be stepped now: tasks that were admitted, are in no batch and have a reader that keeps up. With the rows
  // of their next steps.
  struct Readiness {
    int64_t tasks = 0;
    int64_t rows = 0;
    int64_t largest = 0;  // rows of the task that has most
  };
  Readiness ready() const;
  // Of those the batch to step now, those stepped longest ago, whose rows are within the budget and `max_rows` (or are
  // one task's); empty if there is nothing to step. Tasks that were finished before their first step come along once:
  // they take output, not a step. Every batch must be given to Complete; several may be under way at once.
  std::vector<Member> Take(TimePoint now, int64_t max_rows);
  // All of it, with the budget's rows.
  std::vector<Member> Form(TimePoint now, std::vector<Ended>& ended);

  // After the step, which ended at `now`: finished tasks leave. Appends to `ended` the jobs that are through, that
  // failed with one of their tasks, or that were to end meanwhile.
  void Complete(absl::Span<const Member> batch, TimePoint now, std::vector<Ended>& ended);

  // When the passing of time alone will give Refresh something to do: the earliest deadline of the jobs that are in no
  // batch. kNoDeadline if never.
  TimePoint NextExpiry() const;

  const RunTimeEstimate& run_time() const { return run_time_; }
  bool empty() const { return entries_.empty(); }
  int64_t jobs() const { return static_cast<int64_t>(entries_.size()); }
  int64_t queued_jobs() const { return queued_jobs_; }
  int64_t queued_tasks() const { return queued_tasks_; }
  int64_t queued_rows() const { return queued_rows_; }
  int64_t running_tasks() const { return static_cast<int64_t>(running_.size()); }  // of parked jobs too
  int64_t running_bytes() const { return running_bytes_; }

 private:
  struct Entry {
    std::shared_ptr<Job> job;
    JobTimes times;
    int64_t last_batch = 0;   // number of the last one that stepped a task of it
    int next_task = 0;        // the first that is not admitted
    int running = 0;          // tasks admitted and unfinished
    int in_batch = 0;         // of those, in a batch under way
    int unfinished = 0;       // tasks of the job, those that are finished and not taken yet included
    int64_t queued_rows = 0;  // of the tasks that are not admitted
    int64_t first_turn = 0;   // rows of those that its first turn admits
    int64_t turn_credit = 0;  // rows it may still admit in this turn; negative: debt of a task larger than its turn
    bool backlogged = false;
    bool was_parked = false;
    TimePoint parked_since{};
    absl::Status end;  // not OK: the job is to end with this
    std::list<Entry>::iterator place{};

    int task_count() const { return static_cast<int>(job->tasks.size()); }
    bool queued() const { return next_task == 0; }  // no task was admitted yet
    bool waiting() const { return next_task < task_count(); }
  };
  struct Running {
    Entry* entry;
    int index;
    Task* task;
    int64_t rows;  // of its next step
    int64_t bytes;
    TimePoint stepped;  // when its last step ended, or it was admitted
    int64_t steps = 0;
    bool in_batch = false;
    bool lasting = false;  // it takes large steps, and this is not its first
  };
  // The jobs of one priority that have tasks to admit.
  struct Level {
    std::deque<Entry*> turns;  // the front one's turn it is
    // Rows that higher levels admitted while this one waited, up to what makes it due; negative: what it still pays for
    // its own.
    int64_t passed_rows = 0;
    QueueTimeEstimate queue;  // of the jobs that have no task admitted
  };
  enum class Room { kEnough, kNotForThisJob, kNone };

  Level& OwnLevel(const Entry& entry) { return levels_[LevelOf(entry.job->priority)]; }
  bool Due(const Level& level) const { return level.passed_rows >= kHigherTurns * limits_.turn_rows; }
  void Expire(TimePoint now, std::vector<Ended>& ended);
  void Admit(TimePoint now);
  // The level whose turn it is, of those with jobs that have not been passed over; kPriorityLevels: none.
  size_t NextLevel(const std::array<size_t, kPriorityLevels>& passed_over) const;
  // `rows` of level `admitting` join the running set.
  void CountPassed(size_t admitting, bool due, int64_t rows);
  static bool Ready(const Running& running) {
    return !running.in_batch && !running.entry->backlogged && running.entry->end.ok();
  }
  // Whether a task of `entry` may join the running set now. kNotForThisJob: others may be able to. kNone: wait for it.
  Room RoomFor(const Entry& entry, int64_t rows, int64_t bytes) const;
  int64_t Bytes(const Task& task) const;
  // INVALID_ARGUMENT or RESOURCE_EXHAUSTED, for a queue's limits alone.
  absl::Status CheckLimits(int64_t tasks, int64_t rows) const;
  absl::Status CheckDeadline(const Job& job, TimePoint now) const;
  absl::Status CheckAnswer(const Job& job) const;
  void Retire(Entry& entry, TimePoint now, std::vector<Ended>& ended);
  // Adds (sign 1) or takes away (-1) a running task from the sums that the budgets are compared with.
  void Count(const Running& running, int sign);

  const BatchLimits limits_;
  std::list<Entry> entries_;  // in order of arrival
  std::unordered_map<const Job*, Entry*> by_job_;
  std::array<Level, kPriorityLevels> levels_;  // the highest first
  std::list<Running> running_;                 // the one stepped longest ago first
  std::unordered_map<const Task*, std::list<Running>::iterator> by_task_;
  RunTimeEstimate run_time_;  // of a task
  int64_t batches_ = 0;       // taken

  int64_t queued_jobs_ = 0;
  int64_t queued_tasks_ = 0;
  int64_t queued_rows_ = 0;
  int64_t running_bytes_ = 0;
  int64_t parked_bytes_ = 0;  // of those, of parked jobs
  int64_t active_tasks_ = 0;  // running, those of parked jobs aside
  int64_t active_rows_ = 0;   // of their next steps
  int64_t lasting_rows_ = 0;  // of those, of lasting tasks
};

}  // namespace heed
