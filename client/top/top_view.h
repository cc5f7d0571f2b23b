// SPDX-License-Identifier: Apache-2.0
// What `heed top` shows, as numbers: from pages of metrics, one after the other, of one server or several.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/top/metrics_change.h"
#include "client/top/metrics_page.h"
#include "nlohmann/json_fwd.hpp"

namespace heed::client {

// Of a server, or of all that answer together. What a page does not tell, or needs a second page for, is absent.
// Seconds are seconds, rates per second.
struct TopLoad {
  std::optional<double> models;
  std::optional<double> models_ready;
  std::optional<double> requests;
  std::optional<double> errors;  // of any code but OK
  std::optional<double> in_flight;
  std::optional<double> rejected;
  std::optional<double> slow;  // requests that took longer than the server's --slow_request_ms; absent while none did
  std::optional<double> p50;
  std::optional<double> p99;
  std::optional<double> cores;      // CPU time
  std::optional<double> threads;    // the budget for stepping models
  std::optional<double> throttled;  // share of its threads' time that the cgroup held the process up
  std::optional<double> memory;
  std::optional<double> memory_limit;  // absent if one of them has none
  std::optional<double> process_threads;
  std::optional<double> files;
  std::optional<double> max_files;
  std::optional<double> sessions;
  std::optional<double> session_bytes;
  std::optional<double> graphs;
  std::optional<double> graph_bytes;
};

struct TopServer {
  std::string address;
  std::string trouble;        // why it does not answer; empty: it does
  double silent_seconds = 0;  // since its last answer, or since it was first asked
  std::string version;
  std::optional<double> uptime;
  TopLoad load;
};

struct TopModel {
  std::string name;
  std::optional<double> ready;  // on so many servers
  std::optional<double> version;
  std::optional<double> requests;
  std::optional<double> errors;
  std::optional<double> rejected;
  std::optional<double> p50;
  std::optional<double> p95;
  std::optional<double> p99;
  std::optional<double> queue_p50;
  std::optional<double> queue_p99;
  std::optional<double> first_p50;
  std::optional<double> steps;
  std::optional<double> busy;  // share of the executors' time that its steps take
  std::optional<double> rows;  // of a step, on average
  std::optional<double> occupancy;
  std::optional<double> tasks;  // of a step, on average
  std::optional<double> queued;
  std::optional<double> max_queued;
  std::optional<double> queued_tasks;
  std::optional<double> running;
  std::optional<double> tokens;
  std::optional<double> nodes;
  std::optional<double> resident_bytes;
};

struct TopMethod {
  std::string name;
  std::optional<double> in_flight;
  std::optional<double> requests;
  std::optional<double> p50;
  std::optional<double> p95;
  std::optional<double> p99;
  std::vector<std::pair<std::string, double>> codes;  // those that came, most frequent first
};

struct TopView {
  std::vector<TopServer> servers;                          // as given
  TopLoad all;                                             // of those that answer
  std::vector<std::pair<std::string, double>> rejections;  // by reason, those that came, most frequent first
  std::vector<TopModel> models;                            // by name
  std::vector<TopMethod> methods;                          // by name
  std::deque<double> history;                              // requests per second, the newest last
};

// A server's page, or why there is none, and when it came.
struct TopReading {
  absl::StatusOr<MetricsPage> page;
  std::chrono::steady_clock::time_point time;
};

// Keeps the last two pages of each server. Not thread-safe; time is the caller's.
class TopMonitor {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr size_t kHistory = 240;

  TopMonitor(std::vector<std::string> addresses, TimePoint start);

  // One of each server.
  void Add(std::vector<TopReading> readings);
  // At `now`, by both clocks. A server that does not answer has no part in rates and sums. Rates are there from its
  // second answer on.
  TopView View(TimePoint now, double unix_seconds) const;
  bool answering() const;  // any of them, when last asked

 private:
  struct Server {
    std::string address;
    absl::Status trouble;
    TimePoint last_answer;
    std::optional<MetricsPage> page;  // of the last answer
    std::optional<MetricsChange> change;
  };

  std::vector<Server> servers_;
  std::deque<double> history_;
};

// An object: what is absent is null.
nlohmann::ordered_json TopJson(const TopView& view);

}  // namespace heed::client
