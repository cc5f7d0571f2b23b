// SPDX-License-Identifier: Apache-2.0
// What happened between two pages of metrics: rates of counters, distributions of histograms.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/top/metrics_page.h"

namespace heed::client {

// A histogram's observations.
struct BucketCounts {
  std::map<double, double> at_most;  // by upper bound, the last one infinite: how many there were at most so large
  double count = 0;
  double sum = 0;

  void Add(const BucketCounts& other);
  // None if there are no observations.
  std::optional<double> Mean() const;
  // As Prometheus' histogram_quantile: as if the observations of a bucket were spread evenly between its bounds, the
  // first one's lower bound being 0; the largest finite bound if it falls beyond that. None if there are none, or no
  // finite bound.
  std::optional<double> Quantile(double share) const;
};

// Two pages of one server. A counter that is lower than before began again (the server restarted), so all of it is
// counted; so is one that was not there before, since a counter is first told of with its first event, and every
// counter of a process that started in between. Values are those of the series that have all of `labels`, summed.
class MetricsChange {
 public:
  // `seconds` lie between the two.
  MetricsChange(const MetricsPage& before, MetricsPage after, double seconds);

  const MetricsPage& after() const { return after_; }
  bool restarted() const { return restarted_; }
  // By how much a counter grew per second. None: there is no such series.
  std::optional<double> Rate(const std::string& counter, const MetricLabels& labels = {}) const;
  BucketCounts Observations(const std::string& histogram, const MetricLabels& labels = {}) const;

 private:
  // The value of a series before, from which it grew to `now`.
  double Base(const std::string& name, const MetricLabels& labels, double now) const;

  MetricsPage before_;  // empty if the process is another
  MetricsPage after_;
  double seconds_;
  bool restarted_ = false;
};

// Changes of several servers, in the same time, added up.
class MetricsChanges {
 public:
  explicit MetricsChanges(std::vector<MetricsChange> servers) : servers_(std::move(servers)) {}

  const std::vector<MetricsChange>& servers() const { return servers_; }
  bool empty() const { return servers_.empty(); }
  std::optional<double> Rate(const std::string& counter, const MetricLabels& labels = {}) const;
  BucketCounts Observations(const std::string& histogram, const MetricLabels& labels = {}) const;
  // Of a gauge, in the later pages.
  std::optional<double> Sum(const std::string& gauge, const MetricLabels& labels = {}) const;
  std::set<std::string> LabelValues(const std::string& name, const std::string& label) const;

 private:
  std::vector<MetricsChange> servers_;
};

}  // namespace heed::client
