// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/scheduler.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/exception_barrier.h"
#include "base/status_macros.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// Why an accepted job ended early, as heed_cancellations_total says it; empty for a job that did not.
std::string_view CancellationReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kCancelled:
      return "client";
    case absl::StatusCode::kDeadlineExceeded:
      return "deadline";
    case absl::StatusCode::kAborted:
      return "reader_lagged";
    case absl::StatusCode::kUnavailable:
      return "shutdown";
    case absl::StatusCode::kResourceExhausted:
      return "no_room";
    default:
      return {};
  }
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, Metrics& metrics)
    : options_(options), metrics_(metrics), shares_(options.threads, options.executors) {
  const int executors = options_.executors > 0 ? options_.executors : options_.threads;
  metrics_.Set(Metric::kExecutors, {}, shares_.steps());
  for (int i = 0; i < executors; ++i) executors_.emplace_back([this, i] { Execute(i); });
}

Scheduler::~Scheduler() {
  Drain(Clock::now());
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  work_.NotifyAll();
  for (std::thread& executor : executors_) executor.join();
}

absl::Status Scheduler::Submit(std::shared_ptr<Job> job) {
  const std::shared_ptr<const Model> model = job->model;  // lives, whatever becomes of the job
  const std::string& name = model->spec().name;
  absl::Status status;
  bool wakes = false;
  {
    MutexLock lock(mutex_);
    HEED_RETURN_IF_ERROR(CheckAccepting(name, job->internal, job->admitted));
    Lane& lane =
        lanes_.try_emplace(job->model.get(), job->model, LimitsOf(name), run_times_[name], served_rows_).first->second;
    status = lane.former.Add(std::move(job), Clock::now());
    if (status.ok()) {
      ++unfinished_jobs_;
      Publish(lane);
      wakes = shares_.threads_in_use() < options_.threads;  // otherwise a step that ends takes it along
    } else {
      CloseLanes();
    }
  }
  if (status.ok()) {
    if (wakes) work_.NotifyOne();
  } else {
    metrics_.Add(Metric::kRejections, {name, ReasonOf(status)});
  }
  return status;
}

absl::Status Scheduler::CheckRoom(const Job& job) {
  const std::string& name = job.model->spec().name;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    HEED_RETURN_IF_ERROR(CheckAccepting(name, job.internal, job.admitted));
    auto it = lanes_.find(job.model.get());
    if (it != lanes_.end()) status = it->second.former.CheckRoom(job, Clock::now());
  }
  if (!status.ok()) metrics_.Add(Metric::kRejections, {name, ReasonOf(status)});
  return status;
}

Scheduler::Backlog Scheduler::BacklogOf(const Model& model) {
  MutexLock lock(mutex_);
  const auto it = lanes_.find(&model);
  if (it == lanes_.end()) return {};
  const BatchFormer& former = it->second.former;
  return {former.queued_jobs(), former.queued_tasks(), former.running_tasks()};
}

const BatchLimits& Scheduler::LimitsOf(std::string_view model_name) const {
  const auto limits = options_.model_limits.find(model_name);
  return limits == options_.model_limits.end() ? options_.limits : limits->second;
}

absl::StatusOr<std::unique_ptr<Scheduler::Admission>> Scheduler::Admit() {
  MutexLock lock(mutex_);
  HEED_RETURN_IF_ERROR(CheckAccepting("", /*internal=*/false, /*admitted=*/false));
  ++admissions_;
  return std::make_unique<Admission>(*this);
}

void Scheduler::EndAdmission() {
  MutexLock lock(mutex_);
  if (--admissions_ == 0) idle_.NotifyAll();
}

absl::Status Scheduler::CheckAccepting(std::string_view model, bool internal, bool admitted) {
  if (admitted ? !drained_ : !draining_ && (!refusing_ || internal)) return absl::OkStatus();
  ++refused_by_drain_;
  metrics_.Add(Metric::kRejections, {model, "draining"});
  return absl::UnavailableError("the server is shutting down");
}

void Scheduler::Cancel(const Job& job) {
  {
    MutexLock lock(mutex_);
    auto it = lanes_.find(job.model.get());
    if (it == lanes_.end()) return;
    // gRPC tells of a deadline that has passed in the same way as of a client that has gone.
    const bool expired = Clock::now() >= job.deadline;
    it->second.former.Cancel(&job, expired
                                       ? absl::DeadlineExceededError("the deadline passed before the request was done")
                                       : absl::CancelledError("the client cancelled the request"));
  }
  work_.NotifyOne();
}

void Scheduler::End(const Job& job, absl::Status status) {
  {
    MutexLock lock(mutex_);
    auto it = lanes_.find(job.model.get());
    if (it == lanes_.end()) return;
    it->second.former.Cancel(&job, std::move(status));
  }
  work_.NotifyOne();
}

void Scheduler::SetBacklogged(const Job& job, bool backlogged) {
  {
    MutexLock lock(mutex_);
    auto it = lanes_.find(job.model.get());
    if (it == lanes_.end()) return;
    it->second.former.SetBacklogged(&job, backlogged, Clock::now());
  }
  work_.NotifyOne();
}

void Scheduler::Refuse() {
  MutexLock lock(mutex_);
  refusing_ = true;
}

int64_t Scheduler::Drain(TimePoint deadline) {
  int64_t cut_off = 0;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    while ((unfinished_jobs_ > 0 || admissions_ > 0) && Clock::now() < deadline) idle_.WaitUntil(mutex_, deadline);
    drained_ = true;
    cut_off = unfinished_jobs_;
    for (auto& [model, lane] : lanes_) lane.former.CancelAll(absl::UnavailableError("the server is shutting down"));
  }
  work_.NotifyAll();
  MutexLock lock(mutex_);
  while (unfinished_jobs_ > 0) idle_.Wait(mutex_);
  return cut_off;
}

int64_t Scheduler::refused_by_drain() {
  MutexLock lock(mutex_);
  return refused_by_drain_;
}

void Scheduler::Execute(int index) {
  // Waking up for one request does not push gRPC's threads aside that are reading the next ones: steps come to hold
  // more tasks.
  const sched_param parameters{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &parameters);
  MakeContexts(index);
  Turn turn;
  while (NextTurn(turn)) {
    Report(turn);
    Step(turn);
  }
}

bool Scheduler::NextTurn(Turn& turn) {
  MutexLock lock(mutex_);
  if (!turn.batch.empty()) {
    auto it = lanes_.find(turn.model.get());
    it->second.former.Complete(turn.batch, turn.step_end, turn.ended);
    Publish(it->second);
    CloseLanes();
    GiveBackShare(turn);
    turn.batch.clear();
    turn.model.reset();
  }
  while (true) {
    if (TakeTurn(turn, Clock::now()) || !turn.ended.empty()) return true;
    if (stop_ && lanes_.empty()) return false;
    TimePoint wake = kNoDeadline;
    for (auto& [model, lane] : lanes_) wake = std::min(wake, lane.former.NextExpiry());
    if (wake == kNoDeadline) {
      work_.Wait(mutex_);
    } else {
      work_.WaitUntil(mutex_, wake);
    }
  }
}

bool Scheduler::TakeTurn(Turn& turn, TimePoint now) {
  ThreadShares::Load ready;
  std::vector<Lane*> order;
  for (auto& [model, lane] : lanes_) {
    lane.former.Refresh(now, turn.ended);
    Publish(lane);
    const BatchFormer::Readiness of_lane = lane.former.ready();
    if (of_lane.tasks == 0) continue;
    ready += ThreadShares::LoadOf(of_lane.tasks, of_lane.rows, lane.model->spec().resident_bytes, of_lane.largest);
    order.push_back(&lane);
  }
  const std::optional<ThreadShares::Share> share = order.empty() ? std::nullopt : shares_.Offer(ready);
  if (share) {
    Lane& lane = **std::min_element(order.begin(), order.end(),
                                    [](Lane* a, Lane* b) { return a->served_rows < b->served_rows; });
    turn.batch = lane.former.Take(now, share->rows);
    turn.model = lane.model;
    served_rows_ = lane.served_rows;
    int64_t rows = 0;
    for (const BatchFormer::Member& member : turn.batch) {
      if (!member.task->finished()) rows += member.task->next_rows();
    }
    lane.served_rows += rows;
    turn.load = ThreadShares::LoadOf(static_cast<int64_t>(turn.batch.size()), rows, lane.model->spec().resident_bytes);
    TakeShare(turn, *share);
    // The rest may be another executor's.
    ready -= turn.load;
    if (ready.tasks > 0 && shares_.Offer(ready)) work_.NotifyOne();
  }
  CloseLanes();
  return share.has_value();
}

void Scheduler::MakeContexts(int index) {
  for (const int threads : ThreadShares::TeamSizes(options_.threads, options_.executors, index)) {
    auto context = MakeContext(threads);
    MutexLock lock(mutex_);
    idle_contexts_[threads].push_back(std::move(context));
  }
}

std::unique_ptr<Context> Scheduler::MakeContext(int threads) const {
  // What one team of all threads would keep, shared out.
  constexpr size_t kKeptBytes = size_t{64} << 20;
  return std::make_unique<Context>(threads,
                                   kKeptBytes * static_cast<size_t>(threads) / static_cast<size_t>(options_.threads));
}

void Scheduler::TakeShare(Turn& turn, const ThreadShares::Share& share) {
  turn.share = share;
  shares_.Begin(turn.share, turn.load);
  metrics_.Set(Metric::kExecutors, {}, shares_.steps());
  std::vector<std::unique_ptr<Context>>& idle = idle_contexts_[share.threads];
  if (idle.empty()) return;
  turn.context = std::move(idle.back());
  idle.pop_back();
}

void Scheduler::GiveBackShare(Turn& turn) {
  shares_.End(turn.share, turn.load);
  idle_contexts_[turn.share.threads].push_back(std::move(turn.context));
}

void Scheduler::CloseLanes() {
  std::erase_if(lanes_, [this](const auto& item) REQUIRES(mutex_) {
    const Lane& lane = item.second;
    if (!lane.former.empty()) return false;
    run_times_[lane.model->spec().name] = lane.former.run_time();
    return true;
  });
}

void Scheduler::Step(Turn& turn) {
  if (turn.batch.empty()) return;
  // Others may still be making theirs.
  if (turn.context == nullptr) turn.context = MakeContext(turn.share.threads);
  std::vector<Task*> tasks;
  int64_t rows = 0;
  for (const BatchFormer::Member& member : turn.batch) {
    if (member.task->finished()) continue;
    tasks.push_back(member.task);
    rows += member.task->next_rows();
  }
  turn.step_end = Clock::now();
  if (!tasks.empty()) {
    const TimePoint start = turn.step_end;
    Advance(*turn.model, tasks, *turn.context);
    turn.step_end = Clock::now();
    const std::string& name = turn.model->spec().name;
    const double seconds = ToSeconds(turn.step_end - start);
    metrics_.Observe(Metric::kStepSeconds, {name}, seconds);
    metrics_.Add(Metric::kStepThreadSeconds, {name}, seconds * turn.share.threads);
    metrics_.Observe(Metric::kBatchRows, {name}, static_cast<double>(rows));
    metrics_.Observe(Metric::kBatchTasks, {name}, static_cast<double>(tasks.size()));
    statistics_.AddStep(turn.model, static_cast<int64_t>(tasks.size()), turn.step_end - start);
  }
  const int64_t max_answer_bytes = LimitsOf(turn.model->spec().name).max_answer_bytes;
  for (BatchFormer::Member& member : turn.batch) {
    if (!member.task->error().ok()) continue;
    if (const int64_t bytes = member.task->answer_bytes(); bytes > max_answer_bytes && !member.job->internal) {
      End(*member.job, AnswerTooLarge(bytes, max_answer_bytes));
      continue;
    }
    member.has_output = member.task->has_output() || member.task->finished();
    if (!member.has_output) continue;
    try {
      member.job->observer->OnTaskOutput(member.index, *member.task);
    } catch (...) {
      End(*member.job, StatusOfException());
    }
  }
}

void Scheduler::Advance(const Model& model, absl::Span<Task* const> tasks, Context& context) {
  try {
    model.Step(tasks, context);
  } catch (...) {
    const absl::Status status = StatusOfException();
    for (Task* task : tasks) {
      if (task->error().ok()) task->Fail(status);
    }
  }
}

void Scheduler::Report(Turn& turn) {
  if (turn.ended.empty()) return;
  for (BatchFormer::Ended& ended : turn.ended) {
    const std::string& name = ended.job->model->spec().name;
    const JobTimes& times = ended.times;
    if (times.started) metrics_.Observe(Metric::kQueueSeconds, {name}, ToSeconds(*times.started - times.submitted));
    if (times.first_output) {
      metrics_.Observe(Metric::kFirstOutputSeconds, {name}, ToSeconds(*times.first_output - times.submitted));
    }
    const std::string_view reason = CancellationReason(ended.status.code());
    if (!reason.empty()) metrics_.Add(Metric::kCancellations, {name, reason});
    if (!ended.job->internal) statistics_.AddJob(*ended.job, ended.status, times);
    ended.job->observer->OnJobDone(ended.status, times);
  }
  {
    MutexLock lock(mutex_);
    unfinished_jobs_ -= static_cast<int64_t>(turn.ended.size());
    if (unfinished_jobs_ == 0) idle_.NotifyAll();
  }
  turn.ended.clear();
}

void Scheduler::Publish(const Lane& lane) {
  const std::string& name = lane.model->spec().name;
  int64_t queued_jobs = 0, queued_tasks = 0, running_tasks = 0;  // of all its versions
  for (const auto& [model, other] : lanes_) {
    if (&other != &lane && other.model->spec().name != name) continue;
    queued_jobs += other.former.queued_jobs();
    queued_tasks += other.former.queued_tasks();
    running_tasks += other.former.running_tasks();
  }
  metrics_.Set(Metric::kQueuedRequests, {name}, static_cast<double>(queued_jobs));
  metrics_.Set(Metric::kQueuedTasks, {name}, static_cast<double>(queued_tasks));
  metrics_.Set(Metric::kRunningTasks, {name}, static_cast<double>(running_tasks));
}

}  // namespace heed
