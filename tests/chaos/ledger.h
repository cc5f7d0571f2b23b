// SPDX-License-Identifier: Apache-2.0
// What the load sent and what came of it: every request ends once, with a status that is right at that moment.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "grpcpp/support/status.h"
#include "nlohmann/json.hpp"

namespace heed::chaos {

// Something that whoever runs the load does to the server, and says beforehand: requests that overlap it may be
// UNAVAILABLE.
enum class Fault { kSessionPlace, kGraphFiles, kServer };
inline constexpr size_t kFaults = 3;

// Thread-safe.
class Faults {
 public:
  using Moment = std::array<uint64_t, kFaults>;

  // Twice the same changes nothing.
  void Set(Fault fault, bool there);
  Moment Now() const;
  // Whether the fault was there at any time between `since` and now.
  bool Overlaps(Fault fault, const Moment& since) const;

 private:
  std::array<std::atomic<uint64_t>, kFaults> changes_{};  // odd: it is there
};

// Thread-safe.
class Ledger {
 public:
  // `sent_file`: its first 8 bytes are the number of requests begun, for whoever kills this process; empty: none.
  explicit Ledger(const std::string& sent_file);

  void Begin(absl::string_view method) EXCLUDES(mutex_);
  void End(absl::string_view method, grpc::StatusCode code, std::chrono::nanoseconds took) EXCLUDES(mutex_);
  // Something else worth a figure in the report.
  void Count(absl::string_view what, int64_t times = 1) EXCLUDES(mutex_);
  void Most(absl::string_view what, double value) EXCLUDES(mutex_);  // keeps the largest
  // Something that must not be. The first ones are kept in words.
  void Fail(std::string what) EXCLUDES(mutex_);

  nlohmann::json Report() const EXCLUDES(mutex_);

 private:
  struct Method {
    int64_t begun = 0;
    std::map<std::string, int64_t> ended;  // by status
    double longest_s = 0;
  };

  mutable Mutex mutex_;
  std::map<std::string, Method, std::less<>> methods_ GUARDED_BY(mutex_);
  std::map<std::string, int64_t, std::less<>> counts_ GUARDED_BY(mutex_);
  std::map<std::string, double, std::less<>> most_ GUARDED_BY(mutex_);
  std::vector<std::string> failures_ GUARDED_BY(mutex_);
  int64_t failed_ GUARDED_BY(mutex_) = 0;
  std::atomic<int64_t> own_sent_ = 0;
  std::atomic<int64_t>* sent_ = &own_sent_;  // in the file, if there is one
};

}  // namespace heed::chaos
