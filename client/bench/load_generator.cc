// SPDX-License-Identifier: Apache-2.0
#include "client/bench/load_generator.h"

#include <algorithm>
#include <cmath>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "grpcpp/alarm.h"

namespace heed::client {
namespace {

using SteadyClock = std::chrono::steady_clock;
using SystemClock = std::chrono::system_clock;

constexpr std::chrono::milliseconds kPauseAfterError{10};
constexpr std::chrono::seconds kDrainLimit{30};
constexpr std::chrono::seconds kConnectLimit{10};

// Of a request that is sent now.
SystemClock::time_point Deadline(const LoadOptions& options) {
  return options.deadline.count() > 0 ? SystemClock::now() + options.deadline : SystemClock::time_point::max();
}

// Connects before the clock starts. False: there is no server.
bool Connect(const LoadOptions& options) {
  const SystemClock::time_point limit = SystemClock::now() + kConnectLimit;
  for (const auto& channel : options.channels) {
    grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    while (state != GRPC_CHANNEL_READY) {
      if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || !channel->WaitForStateChange(state, limit)) return false;
      state = channel->GetState(true);
    }
  }
  return true;
}

LoadReport Unconnected() {
  LoadReport report;
  report.unavailable = true;
  report.first_error = grpc::Status(grpc::StatusCode::UNAVAILABLE, "no connection");
  return report;
}

// Of a call that is over.
void Take(const LoadOptions& options, const LoadCall& call, std::chrono::nanoseconds finished, LoadRecorder& recorder) {
  recorder.Record(call.scheduled, finished, call.status, call.status.ok() ? call.counts() : AnswerCounts());
  if (options.on_end) options.on_end(call, finished);
}

// Of a run that ended with the error `lost`, if that is one. It may have come outside of the measured time.
LoadReport Report(LoadRecorder& recorder, const grpc::Status& lost) {
  LoadReport report = recorder.TakeReport();
  if (lost.ok()) return report;
  report.unavailable = true;
  report.first_error = lost;
  return report;
}

// RunClosedLoop(), once connected. Each lane sends one request after the other.
class ClosedLoop {
 public:
  ClosedLoop(const LoadOptions& options, int lanes)
      : options_(options),
        recorder_(options.warmup, options.duration, /*by_schedule=*/false, options.keep_latencies),
        lanes_(static_cast<size_t>(lanes)) {}

  LoadReport Run() {
    const SystemClock::time_point end =
        SystemClock::now() + std::chrono::duration_cast<SystemClock::duration>(options_.warmup + options_.duration);
    for (Lane& lane : lanes_) Send(lane);
    while (lost_.ok() && !options_.stop.stop_requested()) {
      void* tag = nullptr;
      bool ok = false;
      // An interrupt is seen with the next answer, or soon after.
      const auto wake_up = std::min(end, SystemClock::now() + std::chrono::milliseconds(100));
      const auto next = queue_.AsyncNext(&tag, &ok, wake_up);
      const std::chrono::nanoseconds now = SinceStart();
      if (next == grpc::CompletionQueue::GOT_EVENT) GoOn(tag, ok, now);
      if (now >= options_.warmup + options_.duration) break;
    }
    CancelAll();
    Drain();
    queue_.Shutdown();
    return Report(recorder_, lost_);
  }

 private:
  struct Lane {
    std::unique_ptr<LoadCall> call;  // null: it pauses
    std::unique_ptr<grpc::Alarm> pause;
  };

  std::chrono::nanoseconds SinceStart() const { return SteadyClock::now() - start_; }

  void Send(Lane& lane) {
    const std::chrono::nanoseconds now = SinceStart();
    lane.call = options_.send(sent_++, Deadline(options_), queue_);
    lane.call->scheduled = now;
    by_tag_[lane.call.get()] = &lane;
  }

  void Pause(Lane& lane) {
    lane.pause = std::make_unique<grpc::Alarm>();
    by_tag_[lane.pause.get()] = &lane;
    lane.pause->Set(&queue_, SystemClock::now() + kPauseAfterError, lane.pause.get());
  }

  // A lane's pause is over, or something happened to its call.
  void GoOn(void* tag, bool ok, std::chrono::nanoseconds now) {
    const auto found = by_tag_.find(tag);
    Lane& lane = *found->second;
    if (lane.call == nullptr) {
      by_tag_.erase(found);
      lane.pause.reset();
      Send(lane);
      return;
    }
    if (!lane.call->Advance(ok)) return;
    by_tag_.erase(found);
    std::unique_ptr<LoadCall> call = std::move(lane.call);
    const grpc::Status status = call->status;
    Take(options_, *call, now, recorder_);
    call.reset();  // with its lease, which the next call may want
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) lost_ = status;
    if (status.ok()) {
      Send(lane);
    } else {
      Pause(lane);
    }
  }

  void CancelAll() {
    for (Lane& lane : lanes_) {
      if (lane.call && !lane.call->awaited) lane.call->context.TryCancel();
      if (lane.pause) lane.pause->Cancel();
    }
  }

  // Awaits what is on its way. Calls may need the queue until they are over, so it is shut down after this.
  void Drain() {
    SystemClock::time_point limit = SystemClock::now() + kDrainLimit;
    while (!by_tag_.empty()) {
      void* tag = nullptr;
      bool ok = false;
      if (queue_.AsyncNext(&tag, &ok, limit) != grpc::CompletionQueue::GOT_EVENT) {
        for (Lane& lane : lanes_) {
          if (lane.call) lane.call->context.TryCancel();
        }
        limit = SystemClock::time_point::max();
        continue;
      }
      const auto found = by_tag_.find(tag);
      LoadCall* const call = found->second->call.get();
      if (call != nullptr && !call->Advance(ok)) continue;
      by_tag_.erase(found);
      const bool cancelled = call != nullptr && call->status.error_code() == grpc::StatusCode::CANCELLED;
      if (call != nullptr && !cancelled) Take(options_, *call, SinceStart(), recorder_);
    }
  }

  const LoadOptions& options_;
  LoadRecorder recorder_;
  const SteadyClock::time_point start_ = SteadyClock::now();
  grpc::CompletionQueue queue_;
  std::vector<Lane> lanes_;
  std::unordered_map<void*, Lane*> by_tag_;
  size_t sent_ = 0;
  grpc::Status lost_;  // not OK: the server went away
};

// RunOpenLoop(), once connected. The caller's thread sends, one of its own receives.
class OpenLoop {
 public:
  OpenLoop(const LoadOptions& options, double per_second, uint64_t seed)
      : options_(options),
        arrivals_(per_second, seed),
        recorder_(options.warmup, options.duration, /*by_schedule=*/true, options.keep_latencies) {}

  LoadReport Run() EXCLUDES(mutex_) {
    const std::stop_callback wake_up(options_.stop, [this] {
      MutexLock lock(mutex_);  // so that nobody is between the question whether to stop and the wait
      changed_.NotifyAll();
    });
    std::thread receiver([this] { Receive(); });
    Send();
    CancelTheRest();
    queue_.Shutdown();
    receiver.join();
    MutexLock lock(mutex_);
    return Report(recorder_, lost_);
  }

 private:
  void Send() EXCLUDES(mutex_) {
    size_t sent = 0;
    while (arrivals_.next() < options_.warmup + options_.duration) {
      const std::chrono::nanoseconds scheduled = arrivals_.next();
      MutexLock lock(mutex_);
      while (!IsOver() && SteadyClock::now() < start_ + scheduled) changed_.WaitUntil(mutex_, start_ + scheduled);
      if (IsOver()) return;
      if (!arrivals_.TakeDue(SteadyClock::now() - start_)) continue;
      std::unique_ptr<LoadCall> call = options_.send(sent++, Deadline(options_), queue_);
      call->scheduled = scheduled;
      LoadCall* const tag = call.get();
      calls_.emplace(tag, std::move(call));
    }
  }

  // Once they have had their time.
  void CancelTheRest() EXCLUDES(mutex_) {
    const SteadyClock::time_point limit = SteadyClock::now() + kDrainLimit;
    MutexLock lock(mutex_);
    while (!calls_.empty() && !IsOver() && SteadyClock::now() < limit) changed_.WaitUntil(mutex_, limit);
    for (const auto& [call, owned] : calls_) call->context.TryCancel();
    while (!calls_.empty()) changed_.Wait(mutex_);
  }

  void Receive() EXCLUDES(mutex_) {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      const std::chrono::nanoseconds now = SteadyClock::now() - start_;
      if (const std::unique_ptr<LoadCall> call = TakeFinished(static_cast<LoadCall*>(tag), ok)) {
        Take(options_, *call, now, recorder_);
        changed_.NotifyAll();
      }
    }
  }

  // Null: the call goes on.
  std::unique_ptr<LoadCall> TakeFinished(LoadCall* tag, bool ok) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found = calls_.find(tag);
    if (!found->second->Advance(ok)) return nullptr;
    std::unique_ptr<LoadCall> call = std::move(found->second);
    calls_.erase(found);
    if (lost_.ok() && call->status.error_code() == grpc::StatusCode::UNAVAILABLE) lost_ = call->status;
    return call;
  }

  bool IsOver() const REQUIRES(mutex_) { return !lost_.ok() || options_.stop.stop_requested(); }

  const LoadOptions& options_;
  PoissonArrivals arrivals_;  // the sender's
  LoadRecorder recorder_;     // the receiver's until it has ended
  const SteadyClock::time_point start_ = SteadyClock::now();
  grpc::CompletionQueue queue_;
  Mutex mutex_;
  CondVar changed_;
  std::unordered_map<LoadCall*, std::unique_ptr<LoadCall>> calls_ GUARDED_BY(mutex_);
  grpc::Status lost_ GUARDED_BY(mutex_);  // not OK: the server went away
};

}  // namespace

double Percentile(const std::vector<double>& sorted, double percent) {
  if (sorted.empty()) return 0;
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::clamp(rank, 1.0, static_cast<double>(sorted.size()))) - 1];
}

PoissonArrivals::PoissonArrivals(double per_second, uint64_t seed) : random_(seed), gap_seconds_(per_second) { Draw(); }

bool PoissonArrivals::TakeDue(std::chrono::nanoseconds now) {
  if (next_ > now) return false;
  Draw();
  return true;
}

void PoissonArrivals::Draw() {
  next_ += std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(gap_seconds_(random_)));
}

LoadRecorder::LoadRecorder(std::chrono::nanoseconds warmup, std::chrono::nanoseconds duration, bool by_schedule,
                           bool keep_latencies)
    : begin_(warmup), end_(warmup + duration), by_schedule_(by_schedule), keep_latencies_(keep_latencies) {
  report_.seconds = std::chrono::duration<double>(duration).count();
}

void LoadRecorder::Record(std::chrono::nanoseconds scheduled, std::chrono::nanoseconds finished,
                          const grpc::Status& status, const AnswerCounts& counts) {
  const double latency_ms = std::chrono::duration<double, std::milli>(finished - scheduled).count();
  if (!status.ok()) {
    if (!Within(by_schedule_ ? scheduled : finished)) return;
    if (report_.errors++ == 0) report_.first_error = status;
    report_.expired += status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (keep_latencies_ && status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)
      report_.refusals_ms.push_back(latency_ms);
    return;
  }
  if (Within(finished)) {
    ++report_.requests;
    report_.counts.items += counts.items;
    report_.counts.source_tokens += counts.source_tokens;
    report_.counts.target_tokens += counts.target_tokens;
  }
  if (keep_latencies_ && Within(by_schedule_ ? scheduled : finished)) report_.latencies_ms.push_back(latency_ms);
}

LoadReport LoadRecorder::TakeReport() {
  std::sort(report_.latencies_ms.begin(), report_.latencies_ms.end());
  std::sort(report_.refusals_ms.begin(), report_.refusals_ms.end());
  return std::move(report_);
}

LoadReport RunClosedLoop(const LoadOptions& options, int in_flight) {
  if (!Connect(options)) return Unconnected();
  return ClosedLoop(options, in_flight).Run();
}

LoadReport RunOpenLoop(const LoadOptions& options, double per_second, uint64_t seed) {
  if (!Connect(options)) return Unconnected();
  return OpenLoop(options, per_second, seed).Run();
}

}  // namespace heed::client
