// SPDX-License-Identifier: Apache-2.0
// A page of metrics in Prometheus' text format.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed::client {

using MetricLabels = std::map<std::string, std::string>;

// What a page holds: a number for each name and set of labels. Types, help texts and times are left out. A value.
class MetricsPage {
 public:
  using Series = std::map<MetricLabels, double>;

  // INVALID_ARGUMENT names the first line that is not of the format, or tells a series a second time.
  static absl::StatusOr<MetricsPage> Parse(absl::string_view text);

  // Those of `name`, of which a page without it has none. A histogram's are "NAME_bucket", with the label le,
  // "NAME_sum" and "NAME_count".
  const Series& Of(const std::string& name) const;

  // The sum over the series of `name` that have all of `labels`, whatever others they have; none if there are none.
  std::optional<double> Sum(const std::string& name, const MetricLabels& labels = {}) const;

  // The values that `label` has among the series of `name`.
  std::set<std::string> LabelValues(const std::string& name, const std::string& label) const;

 private:
  std::map<std::string, Series> series_;
};

// Whether `labels` has all of `wanted`.
bool HasLabels(const MetricLabels& labels, const MetricLabels& wanted);

}  // namespace heed::client
