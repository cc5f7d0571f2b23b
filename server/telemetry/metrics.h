// SPDX-License-Identifier: Apache-2.0
// What an operator can see: one table of metrics.
//
// prometheus-cpp is known to metrics.cc alone.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace heed {

enum class MetricType { kCounter, kGauge, kHistogram };

// The rows of MetricTable(), in its order.
enum class Metric {
  kRequests,
  kRequestSeconds,
  kRequestsInFlight,
  kSlowRequests,
  kQueueSeconds,
  kFirstOutputSeconds,
  kStepSeconds,
  kStepThreadSeconds,
  kBatchRows,
  kBatchTasks,
  kMaxBatchRows,
  kQueuedRequests,
  kMaxQueuedRequests,
  kQueuedTasks,
  kRunningTasks,
  kSourceTokens,
  kTargetTokens,
  kTextTokensRead,
  kTextTokensGenerated,
  kGraphNodes,
  kGraphEdges,
  kStoredGraphs,
  kStoredGraphBytes,
  kGraphUpdates,
  kGraphPrecomputeSeconds,
  kGraphSaves,
  kSessions,
  kSessionBytes,
  kSessionEvents,
  kSessionPlaceSeconds,
  kSessionPlaceFailures,
  kTranslationCacheSentences,
  kTranslationCacheBytes,
  kRejections,
  kTokenRequests,
  kTokenCharacters,
  kCancellations,
  kConnections,
  kMaxConnections,
  kRefusedConnections,
  kAccepting,
  kHttpRequests,
  kHttpConnections,
  kHttpClosedConnections,
  kTraceSpans,
  kQueuedTraceSpans,
  kReady,
  kModelReady,
  kModelVersion,
  kModelLoads,
  kModelLoadSeconds,
  kModelResidentBytes,
  kPrimitiveCacheEntries,
  kThreads,
  kExecutors,
  kBuildInfo,
  kCpuThrottledSeconds,
  kMemoryLimitBytes,
  kProcessCpuSeconds,
  kProcessResidentBytes,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessThreads,
  kProcessStartTime,
};

struct MetricInfo {
  Metric metric;
  std::string_view name;  // its suffix tells the unit: _seconds, _bytes, _total
  MetricType type;
  std::vector<std::string> labels;
  std::string_view help;
  std::vector<double> buckets;  // upper bounds, of histograms
};

// Every metric there is.
absl::Span<const MetricInfo> MetricTable();

// Thread-safe. Costs less than a tenth of a microsecond a call: a series that was used before is found without a lock.
class Metrics {
 public:
  // Values of the metric's labels, in the table's order.
  using LabelValues = std::initializer_list<std::string_view>;

  // `recorded` false: what it is told is forgotten, and the text tells of the process alone.
  explicit Metrics(bool recorded = true);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void Add(Metric counter, LabelValues labels, double amount = 1);
  void Set(Metric gauge, LabelValues labels, double value);
  void Increment(Metric gauge, LabelValues labels, double amount);
  void Observe(Metric histogram, LabelValues labels, double value);

  // What a scrape would answer, in Prometheus' text format.
  std::string Text() const;

 private:
  class Collector;
  template <typename T>
  class Series;
  struct Families;

  const bool recorded_;
  std::shared_ptr<Collector> collector_;
  std::unique_ptr<Families> families_;
};

}  // namespace heed
