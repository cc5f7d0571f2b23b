// SPDX-License-Identifier: Apache-2.0
#include "client/top/top_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace heed::client {
namespace {

using Named = std::vector<std::pair<std::string, double>>;

std::optional<double> Ratio(std::optional<double> part, std::optional<double> whole) {
  if (!part || !whole || !(*whole > 0)) return std::nullopt;
  return *part / *whole;
}

// Rates of `counter`'s series by the value of `label`; those that did not grow are left out.
Named RatesBy(const MetricsChanges& changes, const std::string& counter, const std::string& label,
              const MetricLabels& labels) {
  Named rates;
  for (const std::string& value : changes.LabelValues(counter, label)) {
    MetricLabels wanted = labels;
    wanted[label] = value;
    const double rate = changes.Rate(counter, wanted).value_or(0);
    if (rate > 0) rates.emplace_back(value, rate);
  }
  std::stable_sort(rates.begin(), rates.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return rates;
}

// All but the answered ones. None where nothing is known of either.
std::optional<double> Errors(const MetricsChanges& changes, MetricLabels labels) {
  const std::string counter = "heed_requests_total";
  const std::optional<double> all = changes.Rate(counter, labels);
  if (!all) return all;
  labels["code"] = "OK";
  return *all - changes.Rate(counter, labels).value_or(0);
}

// Of a counter whose series only come with their first event: none of them is a rate of 0.
std::optional<double> RateOrZero(const MetricsChanges& changes, const std::string& counter,
                                 const MetricLabels& labels = {}) {
  return changes.empty() ? std::nullopt : std::optional(changes.Rate(counter, labels).value_or(0));
}

// Memory of all together has a limit only where each has one.
std::optional<double> MemoryLimit(const MetricsChanges& now) {
  double sum = 0;
  for (const MetricsChange& server : now.servers()) {
    const double limit = server.after().Sum("heed_memory_limit_bytes").value_or(0);
    if (!(limit > 0)) return std::nullopt;
    sum += limit;
  }
  return sum;
}

// `now` has the gauges of every server that answers, `changes` what happened to those of which there are two pages.
TopLoad Load(const MetricsChanges& now, const MetricsChanges& changes) {
  TopLoad load;
  if (now.empty()) return load;
  const BucketCounts seconds = changes.Observations("heed_request_seconds");
  load.models = 0;
  for (const MetricsChange& server : now.servers()) {
    *load.models += static_cast<double>(server.after().Of("heed_model_ready").size());
  }
  load.models_ready = now.Sum("heed_model_ready");
  load.requests = RateOrZero(changes, "heed_requests_total");
  load.errors = changes.empty() ? std::nullopt : std::optional(Errors(changes, {}).value_or(0));
  load.in_flight = now.Sum("heed_requests_in_flight").value_or(0);
  load.rejected = RateOrZero(changes, "heed_rejections_total");
  load.slow = changes.Rate("heed_slow_requests_total");
  load.p50 = seconds.Quantile(0.5);
  load.p99 = seconds.Quantile(0.99);
  load.cores = changes.Rate("process_cpu_seconds_total");
  load.threads = now.Sum("heed_threads");
  // The kernel adds up what each CPU was held up.
  load.throttled = Ratio(changes.Rate("heed_cpu_throttled_seconds_total"), changes.Sum("heed_threads"));
  load.memory = now.Sum("process_resident_memory_bytes");
  load.memory_limit = MemoryLimit(now);
  load.process_threads = now.Sum("process_threads");
  load.files = now.Sum("process_open_fds");
  load.max_files = now.Sum("process_max_fds");
  load.sessions = now.Sum("heed_sessions");
  load.session_bytes = now.Sum("heed_session_bytes");
  load.graphs = now.Sum("heed_stored_graphs");
  load.graph_bytes = now.Sum("heed_stored_graph_bytes");
  return load;
}

TopModel Model(const std::string& name, const MetricsChanges& now, const MetricsChanges& changes) {
  const MetricLabels labels = {{"model", name}};
  const BucketCounts seconds = changes.Observations("heed_request_seconds", labels);
  const BucketCounts queue = changes.Observations("heed_queue_seconds", labels);
  const BucketCounts steps = changes.Observations("heed_step_seconds", labels);
  const BucketCounts rows = changes.Observations("heed_batch_rows", labels);
  TopModel model{.name = name};
  model.ready = now.Sum("heed_model_ready", labels);
  for (const MetricsChange& server : now.servers()) {
    model.version = std::max(model.version, server.after().Sum("heed_model_version", labels));
  }
  model.requests = RateOrZero(changes, "heed_requests_total", labels);
  model.errors = changes.empty() ? std::nullopt : std::optional(Errors(changes, labels).value_or(0));
  model.rejected = RateOrZero(changes, "heed_rejections_total", labels);
  model.p50 = seconds.Quantile(0.5);
  model.p95 = seconds.Quantile(0.95);
  model.p99 = seconds.Quantile(0.99);
  model.queue_p50 = queue.Quantile(0.5);
  model.queue_p99 = queue.Quantile(0.99);
  model.first_p50 = changes.Observations("heed_first_output_seconds", labels).Quantile(0.5);
  model.steps = RateOrZero(changes, "heed_step_seconds_count", labels);
  if (now.Sum("heed_step_thread_seconds_total")) {  // an older server has no such metric
    model.busy = Ratio(RateOrZero(changes, "heed_step_thread_seconds_total", labels), now.Sum("heed_threads"));
  }
  model.rows = rows.Mean();
  // The limit is that of one server, each of which has it.
  model.occupancy = Ratio(Ratio(model.rows, now.Sum("heed_max_batch_rows", labels)),
                          Ratio(1, static_cast<double>(now.servers().size())));
  model.tasks = changes.Observations("heed_batch_tasks", labels).Mean();
  model.queued = now.Sum("heed_queued_requests", labels).value_or(0);
  model.max_queued = now.Sum("heed_max_queued_requests", labels);
  model.queued_tasks = now.Sum("heed_queued_tasks", labels).value_or(0);
  model.running = now.Sum("heed_running_tasks", labels).value_or(0);
  model.tokens = changes.Rate("heed_target_tokens_total", labels);
  model.nodes = changes.Rate("heed_graph_nodes_total", labels);
  model.resident_bytes = now.Sum("heed_model_resident_bytes", labels);
  return model;
}

TopMethod Method(const std::string& name, const MetricsChanges& now, const MetricsChanges& changes) {
  const MetricLabels labels = {{"method", name}};
  const BucketCounts seconds = changes.Observations("heed_request_seconds", labels);
  TopMethod method{.name = name};
  method.in_flight = now.Sum("heed_requests_in_flight", labels).value_or(0);
  method.requests = RateOrZero(changes, "heed_requests_total", labels);
  method.p50 = seconds.Quantile(0.5);
  method.p95 = seconds.Quantile(0.95);
  method.p99 = seconds.Quantile(0.99);
  method.codes = RatesBy(changes, "heed_requests_total", "code", labels);
  return method;
}

nlohmann::ordered_json Json(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json Json(const Named& rates) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, rate] : rates) json[name] = rate;
  return json;
}

nlohmann::ordered_json Json(const TopLoad& load) {
  return {{"models", Json(load.models)},
          {"models_ready", Json(load.models_ready)},
          {"requests_per_second", Json(load.requests)},
          {"errors_per_second", Json(load.errors)},
          {"requests_in_flight", Json(load.in_flight)},
          {"rejections_per_second", Json(load.rejected)},
          {"slow_requests_per_second", Json(load.slow)},
          {"p50_seconds", Json(load.p50)},
          {"p99_seconds", Json(load.p99)},
          {"cpu_cores", Json(load.cores)},
          {"threads", Json(load.threads)},
          {"throttled_share", Json(load.throttled)},
          {"resident_bytes", Json(load.memory)},
          {"memory_limit_bytes", Json(load.memory_limit)},
          {"process_threads", Json(load.process_threads)},
          {"open_fds", Json(load.files)},
          {"max_fds", Json(load.max_files)},
          {"sessions", Json(load.sessions)},
          {"session_bytes", Json(load.session_bytes)},
          {"stored_graphs", Json(load.graphs)},
          {"stored_graph_bytes", Json(load.graph_bytes)}};
}

}  // namespace

TopMonitor::TopMonitor(std::vector<std::string> addresses, TimePoint start) {
  for (std::string& address : addresses) {
    Server& server = servers_.emplace_back();
    server.address = std::move(address);
    server.trouble = absl::UnavailableError("not asked yet");
    server.last_answer = start;
  }
}

void TopMonitor::Add(std::vector<TopReading> readings) {
  for (size_t i = 0; i < servers_.size(); ++i) {
    Server& server = servers_[i];
    absl::StatusOr<MetricsPage>& page = readings[i].page;
    server.trouble = page.status();
    if (!page.ok()) continue;
    const double seconds = std::chrono::duration<double>(readings[i].time - server.last_answer).count();
    if (server.page) server.change.emplace(*server.page, *page, seconds);
    server.page = *std::move(page);
    server.last_answer = readings[i].time;
  }
  if (const std::optional<double> requests = View(TimePoint(), 0).all.requests) history_.push_back(*requests);
  if (history_.size() > kHistory) history_.pop_front();
}

TopView TopMonitor::View(TimePoint now, double unix_seconds) const {
  TopView view;
  std::vector<MetricsChange> all_pages;
  std::vector<MetricsChange> all_changes;
  for (const Server& server : servers_) {
    TopServer& shown = view.servers.emplace_back();
    shown.address = server.address;
    shown.trouble = std::string(server.trouble.message());
    shown.silent_seconds = std::chrono::duration<double>(now - server.last_answer).count();
    if (!server.trouble.ok()) continue;
    for (const std::string& version : server.page->LabelValues("heed_build_info", "version")) shown.version = version;
    if (const auto start = server.page->Sum("process_start_time_seconds")) {
      shown.uptime = std::max(0.0, unix_seconds - *start);
    }
    // A page alone is a change in no time.
    const std::vector<MetricsChange> page = {server.change ? *server.change : MetricsChange({}, *server.page, 0)};
    const std::vector<MetricsChange> change = server.change ? page : std::vector<MetricsChange>();
    shown.load = Load(MetricsChanges(page), MetricsChanges(change));
    all_pages.insert(all_pages.end(), page.begin(), page.end());
    all_changes.insert(all_changes.end(), change.begin(), change.end());
  }
  const MetricsChanges pages(std::move(all_pages));
  const MetricsChanges changes(std::move(all_changes));
  view.all = Load(pages, changes);
  view.rejections = RatesBy(changes, "heed_rejections_total", "reason", {});
  for (const std::string& name : pages.LabelValues("heed_model_ready", "model")) {
    view.models.push_back(Model(name, pages, changes));
  }
  for (const std::string& name : pages.LabelValues("heed_requests_total", "method")) {
    view.methods.push_back(Method(name, pages, changes));
  }
  view.history = history_;
  return view;
}

bool TopMonitor::answering() const {
  return std::any_of(servers_.begin(), servers_.end(), [](const Server& server) { return server.trouble.ok(); });
}

nlohmann::ordered_json TopJson(const TopView& view) {
  using OrderedJson = nlohmann::ordered_json;
  OrderedJson servers = OrderedJson::array();
  for (const TopServer& server : view.servers) {
    OrderedJson& json = servers.emplace_back(OrderedJson{{"address", server.address}});
    if (!server.trouble.empty()) {
      json.update({{"trouble", server.trouble}, {"silent_seconds", server.silent_seconds}});
      continue;
    }
    json.update({{"version", server.version}, {"uptime_seconds", Json(server.uptime)}});
    json.update(Json(server.load));
  }
  OrderedJson models = OrderedJson::array();
  for (const TopModel& model : view.models) {
    models.push_back({{"model", model.name},
                      {"ready", Json(model.ready)},
                      {"version", Json(model.version)},
                      {"requests_per_second", Json(model.requests)},
                      {"errors_per_second", Json(model.errors)},
                      {"rejections_per_second", Json(model.rejected)},
                      {"p50_seconds", Json(model.p50)},
                      {"p95_seconds", Json(model.p95)},
                      {"p99_seconds", Json(model.p99)},
                      {"queue_p50_seconds", Json(model.queue_p50)},
                      {"queue_p99_seconds", Json(model.queue_p99)},
                      {"first_output_p50_seconds", Json(model.first_p50)},
                      {"steps_per_second", Json(model.steps)},
                      {"busy_share", Json(model.busy)},
                      {"rows_per_step", Json(model.rows)},
                      {"occupancy_share", Json(model.occupancy)},
                      {"tasks_per_step", Json(model.tasks)},
                      {"queued_requests", Json(model.queued)},
                      {"max_queued_requests", Json(model.max_queued)},
                      {"queued_tasks", Json(model.queued_tasks)},
                      {"running_tasks", Json(model.running)},
                      {"target_tokens_per_second", Json(model.tokens)},
                      {"nodes_per_second", Json(model.nodes)},
                      {"resident_bytes", Json(model.resident_bytes)}});
  }
  OrderedJson methods = OrderedJson::array();
  for (const TopMethod& method : view.methods) {
    methods.push_back({{"method", method.name},
                       {"requests_in_flight", Json(method.in_flight)},
                       {"requests_per_second", Json(method.requests)},
                       {"p50_seconds", Json(method.p50)},
                       {"p95_seconds", Json(method.p95)},
                       {"p99_seconds", Json(method.p99)},
                       {"codes_per_second", Json(method.codes)}});
  }
  return {{"servers", std::move(servers)},
          {"all", Json(view.all)},
          {"rejections_per_second", Json(view.rejections)},
          {"models", std::move(models)},
          {"methods", std::move(methods)}};
}

}  // namespace heed::client
