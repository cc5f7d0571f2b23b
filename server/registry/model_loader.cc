// SPDX-License-Identifier: Apache-2.0
#include "server/registry/model_loader.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

// Of 19: gets a tenth of a core that others want, and all of one that is idle. Not of the first loading: then nothing
// serves that it could disturb, and somebody waits for the server.
constexpr int kNiceness = 10;

// How often it is looked whether requests have let go of models that were replaced.
constexpr std::chrono::milliseconds kSweepInterval(200);

// How long after the last model was destroyed what the allocator keeps of it goes back to the system: that holds up
// whoever allocates meanwhile, so it is done once after several changes.
constexpr std::chrono::seconds kTrimDelay(2);

absl::Status ShuttingDown() { return absl::UnavailableError("the server is shutting down"); }

}  // namespace

ModelLoader::ModelLoader(const ModelLoaderOptions& options, Registry& registry, ModelObserver& observer)
    : options_(options), registry_(registry), observer_(observer) {}

ModelLoader::~ModelLoader() {
  Stop();
  Join();
}

void ModelLoader::Start(std::function<void()> loaded) {
  thread_ = std::thread([this, loaded = std::move(loaded)] { Run(loaded); });
}

void ModelLoader::Stop() {
  registry_.Stop();
  std::deque<Change> refused;
  {
    MutexLock lock(mutex_);
    stop_ = true;
    refused.swap(changes_);
  }
  work_.NotifyOne();
  for (const Change& change : refused) change.done(ShuttingDown());
}

void ModelLoader::Join() {
  if (thread_.joinable()) thread_.join();
}

void ModelLoader::Load(std::string name, std::vector<int64_t> versions, Done done) {
  Enqueue({[this, name = std::move(name), versions = std::move(versions)] {
             return registry_.Load(name, versions, observer_);
           },
           std::move(done)});
}

void ModelLoader::Unload(std::string name, Done done) {
  Enqueue({[this, name = std::move(name)] { return registry_.Unload(name, observer_); }, std::move(done)});
}

void ModelLoader::Enqueue(Change change) {
  absl::Status refused;
  {
    MutexLock lock(mutex_);
    if (stop_) {
      refused = ShuttingDown();
    } else if (changes_.size() >= options_.max_queued_changes) {
      refused =
          absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", changes_.size(), " changes of models wait"));
    } else {
      changes_.push_back(std::move(change));
    }
  }
  if (refused.ok()) {
    work_.NotifyOne();
  } else {
    change.done(refused);
  }
}

void ModelLoader::Run(const std::function<void()>& loaded) {
  registry_.LoadAll(observer_);
  loaded();
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);  // of this thread only
  const bool polls = options_.poll_interval > Clock::duration::zero();
  TimePoint poll = polls ? Clock::now() + options_.poll_interval : kNoDeadline;
  TimePoint trim = kNoDeadline;
  Registry::Swept swept;
  Change change;
  while (true) {
    const TimePoint sweep = swept.held > 0 ? Clock::now() + kSweepInterval : kNoDeadline;
    if (!Next(std::min({poll, trim, sweep}), change)) return;
    if (change.carry_out) {
      const absl::Status status = change.carry_out();
      change.done(status);
      change = {};
    }
    if (Clock::now() >= poll) {
      Poll();
      poll = Clock::now() + options_.poll_interval;
    }
    swept = registry_.Sweep(Clock::now());
    if (swept.destroyed > 0) {
      trim = Clock::now() + kTrimDelay;
    } else if (Clock::now() >= trim) {
      malloc_trim(0);
      trim = kNoDeadline;
    }
  }
}

bool ModelLoader::Next(TimePoint wake, Change& change) {
  MutexLock lock(mutex_);
  while (!stop_ && changes_.empty() && Clock::now() < wake) {
    if (wake == kNoDeadline) {
      work_.Wait(mutex_);
    } else {
      work_.WaitUntil(mutex_, wake);
    }
  }
  if (stop_) return false;
  if (!changes_.empty()) {
    change = std::move(changes_.front());
    changes_.pop_front();
  }
  return true;
}

void ModelLoader::Poll() {
  for (const std::string& name : registry_.Changed()) {
    const absl::Status status = registry_.Reload(name, observer_);
    if (!status.ok()) {
      LogError("model", {{"name", name},
                         {"state", "not looked for"},
                         {"code", absl::StatusCodeToString(status.code())},
                         {"reason", status.message()}});
    }
  }
}

}  // namespace heed
