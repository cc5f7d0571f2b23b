// SPDX-License-Identifier: Apache-2.0
#include "client/top/metrics_change.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"

namespace heed::client {

void BucketCounts::Add(const BucketCounts& other) {
  for (const auto& [bound, number] : other.at_most) at_most[bound] += number;
  count += other.count;
  sum += other.sum;
}

std::optional<double> BucketCounts::Mean() const {
  if (!(count > 0)) return std::nullopt;
  return sum / count;
}

std::optional<double> BucketCounts::Quantile(double share) const {
  if (at_most.size() < 2 || !std::isinf(at_most.rbegin()->first)) return std::nullopt;
  // Pages of several servers, or of buckets that changed, need not agree in every bound: what is at most so large is at
  // most larger, too.
  double total = 0;
  for (const auto& [bound, number] : at_most) total = std::max(total, number);
  if (!(total > 0)) return std::nullopt;
  const double rank = share * total;
  double lower_bound = 0;
  double lower_count = 0;
  for (const auto& [bound, number] : at_most) {
    const double upper_count = std::max(lower_count, number);
    if (std::isinf(bound)) break;
    if (upper_count >= rank) {
      if (lower_count == 0 && bound <= 0) return bound;
      if (upper_count == lower_count) return lower_bound;
      return lower_bound + (bound - lower_bound) * (rank - lower_count) / (upper_count - lower_count);
    }
    lower_bound = bound;
    lower_count = upper_count;
  }
  return lower_bound;
}

MetricsChange::MetricsChange(const MetricsPage& before, MetricsPage after, double seconds)
    : after_(std::move(after)), seconds_(seconds) {
  const std::string start = "process_start_time_seconds";
  restarted_ = before.Sum(start) != after_.Sum(start);
  if (!restarted_) before_ = before;
}

double MetricsChange::Base(const std::string& name, const MetricLabels& labels, double now) const {
  const MetricsPage::Series& series = before_.Of(name);
  const auto found = series.find(labels);
  return found == series.end() || found->second > now ? 0 : found->second;
}

std::optional<double> MetricsChange::Rate(const std::string& counter, const MetricLabels& labels) const {
  std::optional<double> increase;
  for (const auto& [series, now] : after_.Of(counter)) {
    if (HasLabels(series, labels)) increase = increase.value_or(0) + now - Base(counter, series, now);
  }
  if (!increase || !(seconds_ > 0)) return std::nullopt;
  return *increase / seconds_;
}

BucketCounts MetricsChange::Observations(const std::string& histogram, const MetricLabels& labels) const {
  BucketCounts counts;
  const std::string sum = histogram + "_sum";
  const std::string count = histogram + "_count";
  // A series began again as a whole, which its count shows.
  std::set<MetricLabels> anew;
  for (const auto& [series, now] : after_.Of(count)) {
    if (!HasLabels(series, labels)) continue;
    const double base = Base(count, series, now);
    if (base == 0) anew.insert(series);
    counts.count += now - base;
  }
  for (const auto& [series, now] : after_.Of(sum)) {
    if (HasLabels(series, labels)) counts.sum += now - (anew.contains(series) ? 0 : Base(sum, series, now));
  }
  const std::string bucket = histogram + "_bucket";
  for (const auto& [series, now] : after_.Of(bucket)) {
    if (!HasLabels(series, labels)) continue;
    MetricLabels rest = series;
    const auto le = rest.extract("le");
    double bound = 0;
    if (le.empty() || !absl::SimpleAtod(le.mapped(), &bound)) continue;
    counts.at_most[bound] += now - (anew.contains(rest) ? 0 : Base(bucket, series, now));
  }
  return counts;
}

std::optional<double> MetricsChanges::Rate(const std::string& counter, const MetricLabels& labels) const {
  std::optional<double> rate;
  for (const MetricsChange& server : servers_) {
    if (const auto one = server.Rate(counter, labels)) rate = rate.value_or(0) + *one;
  }
  return rate;
}

BucketCounts MetricsChanges::Observations(const std::string& histogram, const MetricLabels& labels) const {
  BucketCounts counts;
  for (const MetricsChange& server : servers_) counts.Add(server.Observations(histogram, labels));
  return counts;
}

std::optional<double> MetricsChanges::Sum(const std::string& gauge, const MetricLabels& labels) const {
  std::optional<double> sum;
  for (const MetricsChange& server : servers_) {
    if (const auto one = server.after().Sum(gauge, labels)) sum = sum.value_or(0) + *one;
  }
  return sum;
}

std::set<std::string> MetricsChanges::LabelValues(const std::string& name, const std::string& label) const {
  std::set<std::string> values;
  for (const MetricsChange& server : servers_) values.merge(server.after().LabelValues(name, label));
  return values;
}

}  // namespace heed::client
