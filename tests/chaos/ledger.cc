// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/ledger.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "client/lib/channel.h"

namespace heed::chaos {
namespace {

constexpr size_t kMaxFailuresInWords = 40;

}  // namespace

void Faults::Set(Fault fault, bool there) {
  std::atomic<uint64_t>& changes = changes_[static_cast<size_t>(fault)];
  if ((changes % 2 == 1) != there) ++changes;
}

Faults::Moment Faults::Now() const {
  Moment now;
  std::copy(changes_.begin(), changes_.end(), now.begin());
  return now;
}

bool Faults::Overlaps(Fault fault, const Moment& since) const {
  const auto i = static_cast<size_t>(fault);
  return since[i] % 2 == 1 || changes_[i] != since[i];
}

Ledger::Ledger(const std::string& sent_file) {
  if (sent_file.empty()) return;
  const int file = open(sent_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* shared = MAP_FAILED;
  if (file >= 0 && ftruncate(file, sizeof(*sent_)) == 0) {
    shared = mmap(nullptr, sizeof(*sent_), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (shared == MAP_FAILED) {
    std::perror(sent_file.c_str());
    std::exit(2);
  }
  close(file);
  sent_ = new (shared) std::atomic<int64_t>(0);
}

void Ledger::Begin(absl::string_view method) {
  ++*sent_;
  MutexLock lock(mutex_);
  auto place = methods_.find(method);
  if (place == methods_.end()) place = methods_.emplace(std::string(method), Method()).first;
  ++place->second.begun;
}

void Ledger::End(absl::string_view method, grpc::StatusCode code, std::chrono::nanoseconds took) {
  MutexLock lock(mutex_);
  Method& one = methods_.find(method)->second;
  ++one.ended[client::StatusCodeName(code)];
  one.longest_s = std::max(one.longest_s, std::chrono::duration<double>(took).count());
}

void Ledger::Count(absl::string_view what, int64_t times) {
  MutexLock lock(mutex_);
  auto place = counts_.find(what);
  if (place == counts_.end()) place = counts_.emplace(std::string(what), 0).first;
  place->second += times;
}

void Ledger::Most(absl::string_view what, double value) {
  MutexLock lock(mutex_);
  auto place = most_.find(what);
  if (place == most_.end()) place = most_.emplace(std::string(what), value).first;
  place->second = std::max(place->second, value);
}

void Ledger::Fail(std::string what) {
  MutexLock lock(mutex_);
  ++failed_;
  if (failures_.size() < kMaxFailuresInWords) failures_.push_back(std::move(what));
}

nlohmann::json Ledger::Report() const {
  MutexLock lock(mutex_);
  nlohmann::json methods = nlohmann::json::object();
  for (const auto& [name, one] : methods_) {
    methods[name] = {{"begun", one.begun}, {"ended", one.ended}, {"longest_s", one.longest_s}};
  }
  return {{"methods", methods},    {"counts", counts_}, {"most", most_},
          {"failures", failures_}, {"failed", failed_}, {"sent", sent_->load()}};
}

}  // namespace heed::chaos
