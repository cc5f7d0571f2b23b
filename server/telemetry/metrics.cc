// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <sstream>
#include <type_traits>
#include <utility>

#include "absl/hash/hash.h"
#include "base/mutex.h"
#include "base/version.h"
#include "engine/linear/tiled_product.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "server/platform/cgroup.h"

namespace heed {
namespace {

// 100 us to 100 s: from a step of a small model to a book.
const std::vector<double> kSecondsBuckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,   0.5,     1,      2.5,   5,      10,    25,   50,    100};
const std::vector<double> kRowsBuckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

const std::vector<MetricInfo>& Table() {
  using enum MetricType;
  static const auto& table = *new std::vector<MetricInfo>{
      {Metric::kRequests,
       "heed_requests_total",
       kCounter,
       {"method", "model", "code"},
       "Requests answered, by gRPC status code.",
       {}},
      {Metric::kRequestSeconds,
       "heed_request_seconds",
       kHistogram,
       {"method", "model"},
       "Time from a request's arrival to its end.",
       kSecondsBuckets},
      {Metric::kRequestsInFlight,
       "heed_requests_in_flight",
       kGauge,
       {"method"},
       "Requests that arrived and have not ended.",
       {}},
      {Metric::kSlowRequests,
       "heed_slow_requests_total",
       kCounter,
       {"method", "model"},
       "Requests that took longer than --slow_request_ms.",
       {}},
      {Metric::kQueueSeconds,
       "heed_queue_seconds",
       kHistogram,
       {"model"},
       "Time from a request's submission to its first step.",
       kSecondsBuckets},
      {Metric::kFirstOutputSeconds,
       "heed_first_output_seconds",
       kHistogram,
       {"model"},
       "Time from a request's submission to its first output: a token of a stream, else a task's result.",
       kSecondsBuckets},
      {Metric::kStepSeconds,
       "heed_step_seconds",
       kHistogram,
       {"model"},
       "Duration of a step of the running batch.",
       kSecondsBuckets},
      {Metric::kStepThreadSeconds,
       "heed_step_thread_seconds_total",
       kCounter,
       {"model"},
       "Durations of steps times the threads that each had: of all models at most heed_threads seconds a second.",
       {}},
      {Metric::kBatchRows,
       "heed_batch_rows",
       kHistogram,
       {"model"},
       "Rows (packed tokens, nodes) of a step.",
       kRowsBuckets},
      {Metric::kBatchTasks,
       "heed_batch_tasks",
       kHistogram,
       {"model"},
       "Tasks (sentences, graphs) of a step.",
       kRowsBuckets},
      {Metric::kMaxBatchRows, "heed_max_batch_rows", kGauge, {"model"}, "The limit of heed_batch_rows.", {}},
      {Metric::kQueuedRequests,
       "heed_queued_requests",
       kGauge,
       {"model"},
       "Requests that wait for their first task to be admitted.",
       {}},
      {Metric::kMaxQueuedRequests,
       "heed_max_queued_requests",
       kGauge,
       {"model"},
       "The limit of heed_queued_requests.",
       {}},
      {Metric::kQueuedTasks,
       "heed_queued_tasks",
       kGauge,
       {"model"},
       "Tasks (sentences, graphs) that wait to be admitted.",
       {}},
      {Metric::kRunningTasks,
       "heed_running_tasks",
       kGauge,
       {"model"},
       "Tasks (sentences, graphs) in the running set.",
       {}},
      {Metric::kSourceTokens,
       "heed_source_tokens_total",
       kCounter,
       {"model"},
       "Tokens of the source sentences translated, end-of-sentence included.",
       {}},
      {Metric::kTargetTokens,
       "heed_target_tokens_total",
       kCounter,
       {"model"},
       "Tokens of the best translations, end-of-sentence included.",
       {}},
      {Metric::kTextTokensRead,
       "heed_text_tokens_read_total",
       kCounter,
       {"model"},
       "Tokens that language models scored, or read as prompts or for labels, answers and vectors.",
       {}},
      {Metric::kTextTokensGenerated,
       "heed_text_tokens_generated_total",
       kCounter,
       {"model"},
       "Tokens of the texts that language models returned, end-of-text included.",
       {}},
      {Metric::kGraphNodes, "heed_graph_nodes_total", kCounter, {"model"}, "Nodes whose features queries read.", {}},
      {Metric::kGraphEdges,
       "heed_graph_edges_total",
       kCounter,
       {"model"},
       "Edges that queries passed, over all layers.",
       {}},
      {Metric::kStoredGraphs,
       "heed_stored_graphs",
       kGauge,
       {},
       "Stored graphs, those with a damaged file included.",
       {}},
      {Metric::kStoredGraphBytes,
       "heed_stored_graph_bytes",
       kGauge,
       {},
       "Memory of the stored graphs and their precomputed outputs.",
       {}},
      {Metric::kGraphUpdates,
       "heed_graph_updates_total",
       kCounter,
       {"change"},
       "Changes of stored graphs carried out: put, update, delete.",
       {}},
      {Metric::kGraphPrecomputeSeconds,
       "heed_graph_precompute_seconds",
       kHistogram,
       {"model"},
       "Time to compute a model's outputs for a new version of a stored graph.",
       kSecondsBuckets},
      {Metric::kGraphSaves,
       "heed_graph_saves_total",
       kCounter,
       {"outcome"},
       "Files of stored graphs written: ok, failed.",
       {}},
      {Metric::kSessions, "heed_sessions", kGauge, {}, "Sessions in memory.", {}},
      {Metric::kSessionBytes,
       "heed_session_bytes",
       kGauge,
       {},
       "Memory of the sessions in memory. What several of them share counts once.",
       {}},
      {Metric::kSessionEvents,
       "heed_session_events_total",
       kCounter,
       {"event"},
       "What became of sessions: opened, closed, expired (idle for too long), evicted (from memory, to make room), "
       "restored (to memory, from their place).",
       {}},
      {Metric::kSessionPlaceSeconds,
       "heed_session_place_seconds",
       kHistogram,
       {"operation"},
       "Time that the sessions' directory or Redis takes: read, write, remove.",
       kSecondsBuckets},
      {Metric::kSessionPlaceFailures,
       "heed_session_place_failures_total",
       kCounter,
       {"operation"},
       "What the sessions' directory or Redis could not do: read, write, remove.",
       {}},
      {Metric::kTranslationCacheSentences,
       "heed_translation_cache_sentences_total",
       kCounter,
       {"model", "outcome"},
       "Sentences that were looked for in the translation cache: hit, shared (another request was computing it), miss.",
       {}},
      {Metric::kTranslationCacheBytes,
       "heed_translation_cache_bytes",
       kGauge,
       {},
       "Memory that the translation cache takes; at most --translation_cache_bytes.",
       {}},
      {Metric::kRejections,
       "heed_rejections_total",
       kCounter,
       {"model", "reason"},
       "Requests refused before they were queued (model: empty where none was asked for, or not yet looked up): "
       "queue_full, expected_wait (beyond the deadline), too_large, answer_too_large, "
       "draining, model_unavailable, unauthenticated, permission_denied, token_limit.",
       {}},
      {Metric::kTokenRequests,
       "heed_token_requests_total",
       kCounter,
       {"holder"},
       "Requests that were taken of the holder of a token, as its requests_per_minute counts them.",
       {}},
      {Metric::kTokenCharacters,
       "heed_token_characters_total",
       kCounter,
       {"holder"},
       "Characters of the texts of these requests, as characters_per_minute counts them.",
       {}},
      {Metric::kCancellations,
       "heed_cancellations_total",
       kCounter,
       {"model", "reason"},
       "Requests accepted and ended early: client, deadline, reader_lagged, shutdown, no_room (an answer too large, or "
       "no "
       "memory).",
       {}},
      {Metric::kConnections,
       "heed_connections",
       kGauge,
       {},
       "gRPC connections that are open; at most a second old.",
       {}},
      {Metric::kMaxConnections, "heed_max_connections", kGauge, {}, "The limit of heed_connections.", {}},
      {Metric::kRefusedConnections,
       "heed_refused_connections_total",
       kCounter,
       {"reason"},
       "gRPC connections closed at once because there were too many: max_connections, max_connections_per_address.",
       {}},
      {Metric::kAccepting,
       "heed_accepting",
       kGauge,
       {},
       "1 while gRPC's port takes connections, 0 while all are taken or file descriptors have run out.",
       {}},
      {Metric::kHttpRequests,
       "heed_http_requests_total",
       kCounter,
       {"port", "class"},
       "Requests over HTTP, by port (http, metrics) and class of the answer's status (2xx, 4xx, 5xx); cut_off: the "
       "client "
       "does not have the whole answer.",
       {}},
      {Metric::kHttpConnections,
       "heed_http_connections",
       kGauge,
       {"port"},
       "HTTP connections that are open, by port.",
       {}},
      {Metric::kHttpClosedConnections,
       "heed_http_closed_connections_total",
       kCounter,
       {"port", "reason"},
       "HTTP connections that the server closed: slow, crowded (to make room for a new one), drained.",
       {}},
      {Metric::kTraceSpans,
       "heed_trace_spans_total",
       kCounter,
       {"result"},
       "Spans of traced requests: exported, dropped (the queue was full), failed (the collector did not take them).",
       {}},
      {Metric::kQueuedTraceSpans,
       "heed_trace_queued_spans",
       kGauge,
       {},
       "Spans that wait to be exported; at most --trace_queue_spans.",
       {}},
      {Metric::kReady,
       "heed_ready",
       kGauge,
       {},
       "What /readyz and grpc.health.v1 say of the server as a whole: 1 while it is ready for requests.",
       {}},
      {Metric::kModelReady,
       "heed_model_ready",
       kGauge,
       {"model"},
       "1 while the model serves, 0 while it loads, if it failed to load or was unloaded.",
       {}},
      {Metric::kModelVersion,
       "heed_model_version",
       kGauge,
       {"model"},
       "The version that requests get which name none; 0: none serves.",
       {}},
      {Metric::kModelLoads,
       "heed_model_loads_total",
       kCounter,
       {"model", "outcome"},
       "Versions that were loaded, at the start or later: ok, failed.",
       {}},
      {Metric::kModelLoadSeconds,
       "heed_model_load_seconds",
       kGauge,
       {"model"},
       "How long the version that was loaded last took.",
       {}},
      {Metric::kModelResidentBytes,
       "heed_model_resident_bytes",
       kGauge,
       {"model"},
       "Memory that the packed weights of all versions that serve take.",
       {}},
      {Metric::kPrimitiveCacheEntries,
       "heed_primitive_cache_entries",
       kGauge,
       {},
       "oneDNN primitives kept for reuse; bounded.",
       {}},
      {Metric::kThreads, "heed_threads", kGauge, {}, "The thread budget: no more threads run steps.", {}},
      {Metric::kExecutors,
       "heed_executors",
       kGauge,
       {},
       "Steps that may run at the same time. With --executors=0 as the load is now.",
       {}},
      {Metric::kBuildInfo, "heed_build_info", kGauge, {"version"}, "Always 1; the label tells the version.", {}},
      {Metric::kCpuThrottledSeconds,
       "heed_cpu_throttled_seconds_total",
       kCounter,
       {},
       "Time for which the container's CPU limit held back the process, and others of its cgroup; summed over the "
       "CPUs, "
       "so up to heed_threads seconds a second.",
       {}},
      {Metric::kMemoryLimitBytes,
       "heed_memory_limit_bytes",
       kGauge,
       {},
       "The container's (cgroup's) memory limit; 0: none.",
       {}},
      {Metric::kProcessCpuSeconds, "process_cpu_seconds_total", kCounter, {}, "User and system CPU time spent.", {}},
      {Metric::kProcessResidentBytes, "process_resident_memory_bytes", kGauge, {}, "Resident memory.", {}},
      {Metric::kProcessOpenFds, "process_open_fds", kGauge, {}, "Open file descriptors.", {}},
      {Metric::kProcessMaxFds, "process_max_fds", kGauge, {}, "Limit of open file descriptors.", {}},
      {Metric::kProcessThreads, "process_threads", kGauge, {}, "Threads of the process, gRPC's included.", {}},
      {Metric::kProcessStartTime,
       "process_start_time_seconds",
       kGauge,
       {},
       "Start of the process, in seconds since the epoch.",
       {}},
  };
  return table;
}

// What Metrics is never told: Collector::Collect reads it.
bool ReadAtScrape(Metric metric) {
  return metric == Metric::kPrimitiveCacheEntries || metric >= Metric::kCpuThrottledSeconds;
}

const MetricInfo& Info(Metric metric) { return Table()[static_cast<size_t>(metric)]; }

// The numbers that /proc tells about this process, read at each scrape.
struct ProcessNumbers {
  double cpu_seconds = 0, resident_bytes = 0, open_fds = 0, max_fds = 0, threads = 0, start_time = 0;
};

double BootTime() {
  std::ifstream system("/proc/stat");
  for (std::string name; system >> name; system.ignore(1 << 16, '\n')) {
    double boot_time = 0;
    if (name == "btime" && system >> boot_time) return boot_time;
  }
  return 0;
}

ProcessNumbers ReadProcess() {
  ProcessNumbers numbers;
  std::ifstream stat("/proc/self/stat");
  std::string line;
  std::getline(stat, line);
  // Fields are counted from after the command's name, which is in parentheses and may hold anything.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::vector<std::string> field(3);  // proc(5) counts from 1 and the first of these is its third
  for (std::string value; fields >> value;) field.push_back(value);
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (field.size() > 24) {
    numbers.cpu_seconds = (std::stod(field[14]) + std::stod(field[15])) / ticks;
    numbers.threads = std::stod(field[20]);
    numbers.resident_bytes = std::stod(field[24]) * static_cast<double>(sysconf(_SC_PAGESIZE));
    // Once: the kernel reckons the time of its boot back from the clock, and a clock that is set is no restart.
    static const double start_time = BootTime() + std::stod(field[22]) / ticks;
    numbers.start_time = start_time;
  }
  if (DIR* directory = opendir("/proc/self/fd")) {
    while (const dirent* file = readdir(directory)) numbers.open_fds += file->d_name[0] != '.';
    closedir(directory);
    numbers.open_fds -= 1;  // the directory itself
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) numbers.max_fds = static_cast<double>(limit.rlim_cur);
  return numbers;
}

}  // namespace

absl::Span<const MetricInfo> MetricTable() { return Table(); }

// Collects what Metrics was told, and what is only known at the time of a scrape.
class Metrics::Collector : public prometheus::Collectable {
 public:
  prometheus::Registry& registry() { return registry_; }

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    auto add = [&](Metric metric, double value) {
      const MetricInfo& info = Info(metric);
      prometheus::MetricFamily& family = families.emplace_back();
      family.name = info.name;
      family.help = info.help;
      family.metric.emplace_back();
      if (info.type == MetricType::kCounter) {
        family.type = prometheus::MetricType::Counter;
        family.metric.back().counter.value = value;
      } else {
        family.type = prometheus::MetricType::Gauge;
        family.metric.back().gauge.value = value;
      }
    };
    add(Metric::kPrimitiveCacheEntries, static_cast<double>(PrimitiveCacheSize()));
    add(Metric::kCpuThrottledSeconds, CpuThrottledSeconds());
    add(Metric::kMemoryLimitBytes, static_cast<double>(MemoryLimit()));
    const ProcessNumbers process = ReadProcess();
    add(Metric::kProcessCpuSeconds, process.cpu_seconds);
    add(Metric::kProcessResidentBytes, process.resident_bytes);
    add(Metric::kProcessOpenFds, process.open_fds);
    add(Metric::kProcessMaxFds, process.max_fds);
    add(Metric::kProcessThreads, process.threads);
    add(Metric::kProcessStartTime, process.start_time);
    return families;
  }

 private:
  mutable prometheus::Registry registry_;
};

// The series of one metric by the values of their labels. They are only ever added to, so whoever looks for one walks a
// list that grows at its head and takes no lock.
template <typename T>
class Metrics::Series {
 public:
  Series(const MetricInfo& info, prometheus::Family<T>& family) : info_(info), family_(family) {}

  T& Of(LabelValues values) EXCLUDES(mutex_) {
    if (values.size() < info_.labels.size()) {
      std::fprintf(stderr, "a use of %s has %zu labels\n", std::string(info_.name).c_str(), values.size());
      std::abort();
    }
    const absl::Span<const std::string_view> used(values.begin(), info_.labels.size());
    const size_t hash = absl::HashOf(used);
    std::atomic<const Entry*>& head = lists_[hash % lists_.size()];
    const Entry* entry = Find(head.load(std::memory_order_acquire), hash, used);
    return entry != nullptr ? *entry->series : Add(head, hash, used);
  }

 private:
  struct Entry {
    size_t hash;
    std::vector<std::string> values;
    T* series;  // the family's
    const Entry* next;
  };

  static const Entry* Find(const Entry* entry, size_t hash, absl::Span<const std::string_view> values) {
    while (entry != nullptr && !(entry->hash == hash && std::equal(values.begin(), values.end(), entry->values.begin(),
                                                                   entry->values.end()))) {
      entry = entry->next;
    }
    return entry;
  }

  T& Add(std::atomic<const Entry*>& head, size_t hash, absl::Span<const std::string_view> values) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const Entry* const first = head.load(std::memory_order_relaxed);
    if (const Entry* entry = Find(first, hash, values)) return *entry->series;
    prometheus::Labels labels;
    for (size_t i = 0; i < values.size(); ++i) labels[info_.labels[i]] = values[i];
    T* series = nullptr;
    if constexpr (std::is_same_v<T, prometheus::Histogram>) {
      series = &family_.Add(labels, info_.buckets);
    } else {
      series = &family_.Add(labels);
    }
    entries_.push_back({hash, {values.begin(), values.end()}, series, first});
    head.store(&entries_.back(), std::memory_order_release);
    return *series;
  }

  const MetricInfo& info_;
  prometheus::Family<T>& family_;
  std::array<std::atomic<const Entry*>, 64> lists_{};
  Mutex mutex_;
  std::deque<Entry> entries_ GUARDED_BY(mutex_);  // constant once their list's head has shown them
};

// By metric; null but for those of the type. Constant after construction.
struct Metrics::Families {
  template <typename T>
  using Table = std::vector<std::unique_ptr<Series<T>>>;

  template <typename T>
  static Series<T>& Of(const Table<T>& table, Metric metric) {
    return *table[static_cast<size_t>(metric)];
  }

  Table<prometheus::Counter> counters;
  Table<prometheus::Gauge> gauges;
  Table<prometheus::Histogram> histograms;
};

Metrics::Metrics(bool recorded)
    : recorded_(recorded), collector_(std::make_shared<Collector>()), families_(std::make_unique<Families>()) {
  const size_t size = Table().size();
  families_->counters.resize(size);
  families_->gauges.resize(size);
  families_->histograms.resize(size);
  for (const MetricInfo& info : Table()) {
    if (ReadAtScrape(info.metric)) continue;
    const size_t place = static_cast<size_t>(info.metric);
    const auto make = [&](auto builder, auto& series) {
      auto& family = builder.Name(std::string(info.name)).Help(std::string(info.help)).Register(collector_->registry());
      series = std::make_unique<typename std::decay_t<decltype(series)>::element_type>(info, family);
    };
    switch (info.type) {
      case MetricType::kCounter:
        make(prometheus::BuildCounter(), families_->counters[place]);
        break;
      case MetricType::kGauge:
        make(prometheus::BuildGauge(), families_->gauges[place]);
        break;
      case MetricType::kHistogram:
        make(prometheus::BuildHistogram(), families_->histograms[place]);
        break;
    }
  }
  Set(Metric::kBuildInfo, {kHeedVersion}, 1);
}

Metrics::~Metrics() = default;

void Metrics::Add(Metric counter, LabelValues labels, double amount) {
  if (recorded_) Families::Of(families_->counters, counter).Of(labels).Increment(amount);
}

void Metrics::Set(Metric gauge, LabelValues labels, double value) {
  if (recorded_) Families::Of(families_->gauges, gauge).Of(labels).Set(value);
}

void Metrics::Increment(Metric gauge, LabelValues labels, double amount) {
  if (recorded_) Families::Of(families_->gauges, gauge).Of(labels).Increment(amount);
}

void Metrics::Observe(Metric histogram, LabelValues labels, double value) {
  if (recorded_) Families::Of(families_->histograms, histogram).Of(labels).Observe(value);
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(collector_->Collect()); }

}  // namespace heed
