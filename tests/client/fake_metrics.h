// SPDX-License-Identifier: Apache-2.0
// A Heed server's page of metrics, and one that serves it, for the client's tests.
#pragma once

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace heed::client {

// Writes pages as the server does. Values are since the process began.
class FakeMetrics {
 public:
  explicit FakeMetrics(double start_time = 1000) {
    Set("heed_build_info{version=\"1.2.3\"}", 1);
    Set("process_start_time_seconds", start_time);
    Set("process_cpu_seconds_total", 0);
    Set("process_resident_memory_bytes", 64 << 20);
    Set("process_threads", 17);
    Set("process_open_fds", 14);
    Set("process_max_fds", 1024);
    Set("heed_threads", 2);
    Set("heed_sessions", 3);
    Set("heed_session_bytes", 12288);
    Set("heed_stored_graphs", 0);
    Set("heed_stored_graph_bytes", 0);
  }

  void Set(const std::string& series, double value) { values_[series] = value; }
  void Add(const std::string& series, double value) { values_[series] += value; }

  void AddModel(const std::string& model, bool ready = true) {
    Set(absl::StrCat("heed_model_ready{model=\"", model, "\"}"), ready ? 1 : 0);
    Set(absl::StrCat("heed_model_version{model=\"", model, "\"}"), ready ? 1 : 0);
    Set(absl::StrCat("heed_model_resident_bytes{model=\"", model, "\"}"), ready ? 3 << 19 : 0);
    Set(absl::StrCat("heed_queued_requests{model=\"", model, "\"}"), 0);
  }
  // The metrics of a newer server.
  void AddLimits(const std::string& model) {
    Set(absl::StrCat("heed_max_batch_rows{model=\"", model, "\"}"), 512);
    Set(absl::StrCat("heed_max_queued_requests{model=\"", model, "\"}"), 1024);
    Set("heed_executors", 1);
    tells_thread_seconds_ = true;
    Set("heed_cpu_throttled_seconds_total", 0);
    Set("heed_memory_limit_bytes", 256 << 20);
  }

  // `count` observations of `value`.
  void Observe(const std::string& histogram, const std::string& labels, const std::vector<std::string>& bounds,
               double value, int count) {
    for (const std::string& bound : bounds) {
      Add(absl::StrCat(histogram, "_bucket{", labels, labels.empty() ? "" : ",", "le=\"", bound, "\"}"),
          value <= std::stod(bound) ? count : 0);
    }
    Add(absl::StrCat(histogram, "_bucket{", labels, labels.empty() ? "" : ",", "le=\"+Inf\"}"), count);
    Add(absl::StrCat(histogram, "_sum{", labels, "}"), value * count);
    Add(absl::StrCat(histogram, "_count{", labels, "}"), count);
  }

  // `count` requests that took `seconds` each.
  void Serve(const std::string& method, const std::string& model, int count, double seconds,
             const std::string& code = "OK") {
    const std::string labels = absl::StrCat("method=\"", method, "\",model=\"", model, "\"");
    Add(absl::StrCat("heed_requests_total{code=\"", code, "\",", labels, "}"), count);
    Set(absl::StrCat("heed_requests_in_flight{method=\"", method, "\"}"), 4);
    Observe("heed_request_seconds", labels, kSeconds, seconds, count);
  }
  // `count` steps of `rows` rows that took `seconds` each.
  void Step(const std::string& model, int count, double rows, double seconds) {
    const std::string labels = absl::StrCat("model=\"", model, "\"");
    Observe("heed_step_seconds", labels, kSeconds, seconds, count);
    if (tells_thread_seconds_) {
      const double threads = values_["heed_threads"];
      Add(absl::StrCat("heed_step_thread_seconds_total{", labels, "}"), seconds * count * threads);
    }
    Observe("heed_batch_rows", labels, {"1", "2", "4", "8", "16", "32", "64", "128", "256", "512"}, rows, count);
  }

  std::string Text() const {
    std::string text = "# HELP heed_build_info Always 1; the label tells the version.\n# TYPE heed_build_info gauge\n";
    for (const auto& [series, value] : values_) absl::StrAppendFormat(&text, "%s %.17g\n", series, value);
    return text;
  }

 private:
  bool tells_thread_seconds_ = false;
  inline static const std::vector<std::string> kSeconds = {"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05",
                                                           "0.1",   "0.25",   "0.5",   "1",    "2.5",   "5"};

  std::map<std::string, double> values_;
};

// Serves `path` over HTTP on a loopback port: one page after the other, the last one again and again. An empty page
// is answered with 503, kHangs not at all.
class FakeMetricsServer {
 public:
  static constexpr char kHangs[] = "hangs";

  explicit FakeMetricsServer(std::vector<std::string> pages, const std::string& path = "/metrics")
      : pages_(std::move(pages)) {
    server_.Get(path, [this](const httplib::Request&, httplib::Response& response) {
      const std::string& page = pages_[std::min(asked_++, pages_.size() - 1)];
      while (page == kHangs && !ended_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      response.status = page.empty() ? 503 : 200;
      response.set_content(page, "text/plain; version=0.0.4");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // it may not be stopped before
  }
  ~FakeMetricsServer() {
    ended_ = true;
    server_.stop();
    thread_.join();
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  std::string flag() const { return "--metrics=" + address(); }
  size_t asked() const { return asked_; }

 private:
  const std::vector<std::string> pages_;
  std::atomic<size_t> asked_ = 0;
  std::atomic<bool> ended_ = false;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace heed::client
