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
  kQueueSeconds,
  kFirstOutputSeconds,
  kStepSeconds,
  kBatchRows,
  kQueuedRequests,
  kQueuedTasks,
  kRunningTasks,
  kSourceTokens,
  kTargetTokens,
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
  kRejections,
  kCancellations,
  kModelReady,
  kModelVersion,
  kModelLoads,
  kModelLoadSeconds,
  kModelResidentBytes,
  kPrimitiveCacheEntries,
  kThreads,
  kBuildInfo,
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

// Thread-safe. Costs about a microsecond a call.
class Metrics {
 public:
  // Values of the metric's labels, in the table's order.
  using LabelValues = std::initializer_list<std::string_view>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void Add(Metric counter, LabelValues labels, double amount = 1);
  void Set(Metric gauge, LabelValues labels, double value);
  void Increment(Metric gauge, LabelValues labels, double amount);
  void Observe(Metric histogram, LabelValues labels, double value);

  // What a gauge says now, over all its labels.
  double Sum(Metric gauge) const;
  // What a scrape would answer, in Prometheus' text format.
  std::string Text() const;

 private:
  class Collector;
  struct Families;

  std::shared_ptr<Collector> collector_;
  std::unique_ptr<Families> families_;
};

}  // namespace heed
