// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/batch_former.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// What a job that has tasks running may fill of a budget; the rest is kept for jobs that have none.
int64_t ShareOfRunningJob(int64_t limit) { return std::max<int64_t>(1, limit - limit / 4); }

// Rows that a task adds to a batch; one that is finished before its first step still has its turn.
int64_t Rows(const Task& task) { return task.finished() ? 1 : std::max<int64_t>(1, task.next_rows()); }
int64_t Rows(const Job& job) {
  int64_t rows = 0;
  for (const auto& task : job.tasks) rows += Rows(*task);
  return rows;
}

}  // namespace

int64_t BatchFormer::Bytes(const Task& task) const {
  if (task.finished()) return 0;
  const int64_t bytes = std::max<int64_t>(0, task.peak_bytes());
  return bytes > limits_.max_running_bytes ? ShareOfRunningJob(limits_.max_running_bytes) : bytes;
}

absl::Status BatchFormer::Add(std::shared_ptr<Job> job, TimePoint now) {
  if (absl::Status status = CheckAnswer(*job); !status.ok()) return status;
  if (absl::Status status = CheckRoom(*job, now); !status.ok()) return status;
  Entry& entry = entries_.emplace_back();
  entry.place = std::prev(entries_.end());
  entry.job = std::move(job);
  entry.times.submitted = now;
  entry.unfinished = entry.task_count();
  entry.queued_rows = Rows(*entry.job);
  entry.first_turn = std::min(entry.queued_rows, limits_.turn_rows);
  by_job_[entry.job.get()] = &entry;
  Level& level = OwnLevel(entry);
  level.turns.push_back(&entry);
  level.queue.Join(entry.first_turn, now);
  ++queued_jobs_;
  queued_tasks_ += entry.task_count();
  queued_rows_ += entry.queued_rows;
  return absl::OkStatus();
}

absl::Status BatchFormer::CheckAnswer(const Job& job) const {
  if (job.internal) return absl::OkStatus();
  int64_t bytes = 0;
  for (const auto& task : job.tasks) {
    bytes = job.one_by_one ? std::max(bytes, task->answer_bytes()) : bytes + task->answer_bytes();
  }
  return bytes <= limits_.max_answer_bytes ? absl::OkStatus() : AnswerTooLarge(bytes, limits_.max_answer_bytes);
}

absl::Status BatchFormer::CheckRoom(const Job& job, TimePoint now) const {
  if (job.internal || job.continued) return absl::OkStatus();
  const auto tasks = static_cast<int64_t>(job.tasks.size());
  absl::Status status = CheckLimits(std::max<int64_t>(1, tasks), std::max<int64_t>(1, Rows(job)));
  if (status.ok()) status = CheckDeadline(job, now);
  if (!absl::IsResourceExhausted(status) || RetryDelayOf(status).count() > 0) return status;
  const std::optional<Clock::duration> wait = levels_[LevelOf(job.priority)].queue.QueueTime(now);
  return WithRetryDelay(std::move(status), wait.value_or(kDefaultRetryDelay));
}

absl::Status BatchFormer::CheckLimits(int64_t tasks, int64_t rows) const {
  if (tasks > limits_.max_queued_tasks) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          tasks, " tasks (sentences, graphs) in one request, at most ", limits_.max_queued_tasks)),
                      "too_large");
  }
  if (rows > limits_.max_queued_rows) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(rows, " rows (tokens, nodes) in one request, at most ",
                                                              limits_.max_queued_rows)),
                      "too_large");
  }
  auto full = [](int64_t queued, absl::string_view what, int64_t more, int64_t most) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", queued, " ", what, " wait, ",
                                                                more, " more would exceed ", most)),
                      "queue_full");
  };
  if (queued_jobs_ >= limits_.max_queued_jobs) return full(queued_jobs_, "requests", 1, limits_.max_queued_jobs);
  if (queued_tasks_ + tasks > limits_.max_queued_tasks) {
    return full(queued_tasks_, "tasks", tasks, limits_.max_queued_tasks);
  }
  if (queued_rows_ + rows > limits_.max_queued_rows) return full(queued_rows_, "rows", rows, limits_.max_queued_rows);
  return absl::OkStatus();
}

absl::Status BatchFormer::CheckDeadline(const Job& job, TimePoint now) const {
  if (empty() || job.deadline == kNoDeadline || job.deadline <= now) return absl::OkStatus();
  const Clock::duration queue_time =
      levels_[LevelOf(job.priority)].queue.QueueTime(now).value_or(Clock::duration::zero());
  const int64_t room = std::max<int64_t>(0, limits_.max_running_tasks - active_tasks_);
  const Clock::duration run_time = run_time_.RunTime(active_tasks_ + std::min(queued_tasks_, room));
  const Clock::duration expected = queue_time + run_time;
  const Clock::duration left = job.deadline - now;
  if (expected <= left / 5 * 4) return absl::OkStatus();
  absl::Status status = absl::ResourceExhaustedError(absl::StrFormat(
      "the expected wait is %.3f s (%.3f s in the queue, then %.3f s), more than four fifths of the %.3f s until the "
      "deadline",
      ToSeconds(expected), ToSeconds(queue_time), ToSeconds(run_time), ToSeconds(left)));
  return WithRetryDelay(WithReason(std::move(status), "expected_wait"), expected);
}

void BatchFormer::Cancel(const Job* job, absl::Status status) {
  auto it = by_job_.find(job);
  if (it != by_job_.end() && it->second->end.ok()) it->second->end = std::move(status);
}

void BatchFormer::CancelAll(const absl::Status& status) {
  for (Entry& entry : entries_) {
    if (entry.end.ok()) entry.end = status;
  }
}

void BatchFormer::SetBacklogged(const Job* job, bool backlogged, TimePoint now) {
  auto it = by_job_.find(job);
  if (it == by_job_.end() || it->second->backlogged == backlogged) return;
  Entry& entry = *it->second;
  auto count_all = [&](int sign) {
    for (const Running& running : running_) {
      if (running.entry == &entry) Count(running, sign);
    }
  };
  count_all(-1);
  entry.backlogged = backlogged;
  entry.was_parked = true;
  entry.parked_since = now;
  count_all(1);
}

void BatchFormer::Refresh(TimePoint now, std::vector<Ended>& ended) {
  Expire(now, ended);
  Admit(now);
}

BatchFormer::Readiness BatchFormer::ready() const {
  Readiness ready;
  for (const Running& running : running_) {
    if (!Ready(running)) continue;
    ++ready.tasks;
    ready.rows += running.rows;
    ready.largest = std::max(ready.largest, running.rows);
  }
  return ready;
}

std::vector<BatchFormer::Member> BatchFormer::Form(TimePoint now, std::vector<Ended>& ended) {
  Refresh(now, ended);
  return Take(now, limits_.max_batch_rows);
}

std::vector<BatchFormer::Member> BatchFormer::Take(TimePoint now, int64_t max_rows) {
  max_rows = std::min(max_rows, limits_.max_batch_rows);
  std::vector<Member> batch;
  std::vector<Entry*> stepped;
  int64_t rows = 0;
  ++batches_;
  const size_t candidates = running_.size();
  auto it = running_.begin();
  for (size_t i = 0; i < candidates; ++i) {
    auto running = it++;
    Entry& entry = *running->entry;
    if (!Ready(*running)) continue;
    if (!batch.empty() && rows + running->rows > max_rows) break;
    rows += running->rows;
    running->in_batch = true;
    running->steps += running->task->finished() ? 0 : 1;
    ++entry.in_batch;
    if (!entry.times.started) entry.times.started = now;
    if (!running->task->finished() && std::exchange(entry.last_batch, batches_) != batches_) stepped.push_back(&entry);
    batch.push_back({entry.job, running->index, running->task});
    running_.splice(running_.end(), running_, running);
  }
  for (Entry* entry : stepped) {
    ++entry->times.steps;
    entry->times.step_rows += rows;
  }
  return batch;
}

void BatchFormer::Complete(absl::Span<const Member> batch, TimePoint now, std::vector<Ended>& ended) {
  const int64_t sharing = active_tasks_;
  Clock::duration periods{};
  int64_t stepped = 0;
  for (const Member& member : batch) {
    auto running = by_task_.at(member.task);
    Entry& entry = *running->entry;
    --entry.in_batch;
    if (running->steps > 0 && !entry.was_parked) {  // one that was parked waited for its reader
      periods += now - running->stepped;
      ++stepped;
    }
    running->stepped = now;
    if (member.has_output && !entry.times.first_output) entry.times.first_output = now;
    Count(*running, -1);
    if (!member.task->finished()) {
      running->in_batch = false;
      running->rows = Rows(*member.task);
      running->lasting = running->rows > limits_.max_batch_rows / 4;
      Count(*running, 1);
      continue;
    }
    if (member.task->error().ok() && running->steps > 0) run_time_.AddTask(running->steps, /*ended=*/true);
    running_.erase(running);
    by_task_.erase(member.task);
    --entry.running;
    --entry.unfinished;
    if (entry.end.ok()) entry.end = member.task->error();
  }
  if (stepped > 0) run_time_.AddStep(periods / stepped, sharing);
  for (const Member& member : batch) {
    auto it = by_job_.find(member.job.get());
    if (it == by_job_.end()) continue;  // retired with an earlier member
    Entry& entry = *it->second;
    if (entry.in_batch > 0 || (entry.end.ok() && entry.unfinished > 0)) continue;
    Retire(entry, now, ended);
  }
}

TimePoint BatchFormer::NextExpiry() const {
  TimePoint earliest = kNoDeadline;
  for (const Entry& entry : entries_) {
    if (entry.in_batch > 0) continue;  // Complete comes first
    earliest = std::min(earliest, entry.job->deadline);
    if (entry.backlogged) earliest = std::min(earliest, entry.parked_since + limits_.max_parked);
  }
  return earliest;
}

void BatchFormer::Expire(TimePoint now, std::vector<Ended>& ended) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = *it++;
    if (entry.end.ok() && entry.job->deadline <= now) {
      entry.end = absl::DeadlineExceededError("the deadline passed before the request was done");
    }
    if (entry.end.ok() && entry.backlogged && entry.parked_since + limits_.max_parked <= now) {
      entry.end = absl::AbortedError("the reader of the stream did not take its output in time");
    }
    if (entry.end.ok() || entry.in_batch > 0) continue;
    Retire(entry, now, ended);
  }
}

void BatchFormer::Admit(TimePoint now) {
  std::array<size_t, kPriorityLevels> passed_over{};  // jobs in a row, of each level, that could admit nothing
  for (size_t i = NextLevel(passed_over); i < kPriorityLevels; i = NextLevel(passed_over)) {
    Level& level = levels_[i];
    const bool due = Due(level);
    Entry& entry = *level.turns.front();
    bool may_admit = entry.end.ok() && !entry.backlogged;
    bool admitted = false;
    if (may_admit && entry.turn_credit <= 0) {
      entry.turn_credit += limits_.turn_rows;
      admitted = entry.turn_credit <= 0;  // it only paid off debt; the rounds go on
    }
    while (may_admit && entry.waiting() && entry.turn_credit > 0) {
      Task* task = entry.job->tasks[entry.next_task].get();
      const int64_t rows = Rows(*task);
      const int64_t bytes = Bytes(*task);
      const Room room = RoomFor(entry, rows, bytes);
      if (room == Room::kNone) return;  // its turn goes on at the next step
      if (room == Room::kNotForThisJob) break;
      if (entry.queued()) {
        --queued_jobs_;
        level.queue.Depart(entry.first_turn, now);
      }
      --queued_tasks_;
      queued_rows_ -= rows;
      entry.queued_rows -= rows;
      running_.push_back({&entry, entry.next_task, task, rows, bytes, now});
      by_task_[task] = std::prev(running_.end());
      Count(running_.back(), 1);
      ++entry.next_task;
      ++entry.running;
      entry.turn_credit -= rows;
      CountPassed(i, due, rows);
      admitted = true;
    }
    level.turns.pop_front();
    if (entry.waiting()) level.turns.push_back(&entry);
    if (level.turns.empty()) level.passed_rows = 0;
    passed_over[i] = admitted ? 0 : passed_over[i] + 1;
  }
}

size_t BatchFormer::NextLevel(const std::array<size_t, kPriorityLevels>& passed_over) const {
  size_t next = kPriorityLevels;
  for (size_t i = kPriorityLevels; i-- > 0;) {
    if (passed_over[i] >= levels_[i].turns.size()) continue;
    if (Due(levels_[i])) return i;
    next = i;
  }
  return next;
}

void BatchFormer::CountPassed(size_t admitting, bool due, int64_t rows) {
  if (due) levels_[admitting].passed_rows -= kHigherTurns * rows;
  for (size_t i = admitting + 1; i < kPriorityLevels; ++i) {
    Level& lower = levels_[i];
    if (!lower.turns.empty()) lower.passed_rows = std::min(lower.passed_rows + rows, kHigherTurns * limits_.turn_rows);
  }
}

BatchFormer::Room BatchFormer::RoomFor(const Entry& entry, int64_t rows, int64_t bytes) const {
  auto share = [&](int64_t limit) { return entry.running > 0 ? ShareOfRunningJob(limit) : limit; };
  const int64_t active_rows = entry.running > 0 ? active_rows_ : active_rows_ - lasting_rows_;
  const bool step_fits = active_tasks_ == 0 || (active_tasks_ < share(limits_.max_running_tasks) &&
                                                active_rows + rows <= share(limits_.max_batch_rows));
  const bool memory_fits = running_bytes_ == 0 || running_bytes_ + bytes <= share(limits_.max_running_bytes);
  if (step_fits && memory_fits) return Room::kEnough;
  // A job with tasks running waits for those; it holds nobody back. Nor does one that waits for a parked job's memory.
  const bool waits_for_parked = step_fits && parked_bytes_ > 0;
  return entry.running > 0 || waits_for_parked ? Room::kNotForThisJob : Room::kNone;
}

void BatchFormer::Retire(Entry& entry, TimePoint now, std::vector<Ended>& ended) {
  entry.times.done = now;
  for (auto it = running_.begin(); entry.running > 0 && it != running_.end();) {
    auto running = it++;
    if (running->entry != &entry) continue;
    if (absl::IsDeadlineExceeded(entry.end) && running->steps > 0) run_time_.AddTask(running->steps, /*ended=*/false);
    Count(*running, -1);
    by_task_.erase(running->task);
    running_.erase(running);
    --entry.running;
  }
  Level& level = OwnLevel(entry);
  if (entry.queued()) {
    --queued_jobs_;
    level.queue.GiveUp(entry.first_turn);
  }
  if (entry.waiting()) {
    queued_tasks_ -= entry.task_count() - entry.next_task;
    queued_rows_ -= entry.queued_rows;
    level.turns.erase(std::find(level.turns.begin(), level.turns.end(), &entry));
    if (level.turns.empty()) level.passed_rows = 0;
  }
  by_job_.erase(entry.job.get());
  ended.push_back({std::move(entry.job), std::move(entry.end), entry.times});
  entries_.erase(entry.place);
}

void BatchFormer::Count(const Running& running, int sign) {
  running_bytes_ += sign * running.bytes;
  if (running.entry->backlogged) {
    parked_bytes_ += sign * running.bytes;
  } else {
    active_tasks_ += sign;
    active_rows_ += sign * running.rows;
    if (running.lasting) lasting_rows_ += sign * running.rows;
  }
}

}  // namespace heed
