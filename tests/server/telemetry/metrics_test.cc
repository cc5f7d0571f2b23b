// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/metrics.h"

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/metric_samples.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

absl::string_view Name(const MetricInfo& info) { return absl::string_view(info.name.data(), info.name.size()); }

// Gives every metric of the table a value.
void UseAll(Metrics& metrics) {
  for (const MetricInfo& info : MetricTable()) {
    if (info.metric == Metric::kPrimitiveCacheEntries || info.metric >= Metric::kCpuThrottledSeconds) continue;
    const Metrics::LabelValues labels = {"a", "b", "c"};  // as many as it has are taken
    switch (info.type) {
      case MetricType::kCounter:
        metrics.Add(info.metric, labels);
        break;
      case MetricType::kGauge:
        metrics.Set(info.metric, labels, 1);
        break;
      case MetricType::kHistogram:
        metrics.Observe(info.metric, labels, 1);
        break;
    }
  }
}

TEST(MetricSamples, AreWholeNumbersOfSamplesNotOfHelpTexts) {
  const char* text = "# HELP a 1 while it is on.\n# TYPE a gauge\na 0\nb{c=\"d\"} 12\ne 1e+06\nf 1.5\ng 1\n";
  for (const char* part : {"a 0", "b{c=\"d\"} 12", "{c=\"d\"}", "b{", "d\"} ", "d\"} 12\n", "g 1"}) {
    EXPECT_TRUE(HasSample(text, part)) << part;
  }
  for (const char* part : {"a 1", "b{c=\"d\"} 1", "e 1", "f 1", "h"}) EXPECT_FALSE(HasSample(text, part)) << part;
}

TEST(MetricsTest, TheTableIsInTheOrderOfItsEnum) {
  int expected = 0;
  std::set<std::string_view> names;
  for (const MetricInfo& info : MetricTable()) {
    EXPECT_EQ(static_cast<int>(info.metric), expected++) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
    EXPECT_EQ(info.type == MetricType::kHistogram, !info.buckets.empty()) << info.name;
    EXPECT_EQ(info.type == MetricType::kCounter, absl::EndsWith(Name(info), "_total")) << info.name;
    EXPECT_TRUE(absl::StartsWith(Name(info), "heed_") || absl::StartsWith(Name(info), "process_")) << info.name;
  }
}

TEST(MetricsTest, WhatIsExportedIsWhatTheTableSays) {
  Metrics metrics;
  UseAll(metrics);
  std::map<std::string, std::string> type_of;
  std::set<std::string> help_of;
  for (absl::string_view line : absl::StrSplit(metrics.Text(), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
    if (words.size() == 4 && words[1] == "TYPE") type_of[words[2]] = words[3];
    if (words.size() == 4 && words[1] == "HELP") help_of.insert(absl::StrCat(words[2], " ", words[3]));
  }
  EXPECT_EQ(type_of.size(), MetricTable().size());
  const std::map<MetricType, std::string> type_names = {
      {MetricType::kCounter, "counter"}, {MetricType::kGauge, "gauge"}, {MetricType::kHistogram, "histogram"}};
  for (const MetricInfo& info : MetricTable()) {
    EXPECT_EQ(type_of[std::string(info.name)], type_names.at(info.type)) << info.name;
    EXPECT_TRUE(help_of.contains(absl::StrCat(Name(info), " ", std::string(info.help)))) << info.name;
  }
}

TEST(MetricsTest, LabelsStandInTheTablesOrder) {
  Metrics metrics;
  metrics.Add(Metric::kRequests, {"Translate", "en-de", "OK"}, 3);
  EXPECT_THAT(metrics.Text(), HasSubstr("heed_requests_total{code=\"OK\",method=\"Translate\",model=\"en-de\"} 3"));
}

TEST(MetricsTest, ThreadsThatUseASeriesForTheFirstTimeTogetherCountIntoOne) {
  constexpr int kThreads = 4, kModels = 200;
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < kModels; ++i) {
        const std::string model = absl::StrCat("m", i);
        metrics.Add(Metric::kRequests, {"Translate", model, "OK"});
        metrics.Observe(Metric::kStepSeconds, {model}, 0.5);
        metrics.Increment(Metric::kRunningTasks, {model}, 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = metrics.Text();
  for (int i = 0; i < kModels; ++i) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("{code=\"OK\",method=\"Translate\",model=\"m", i, "\"} 4\n")));
    EXPECT_THAT(text, HasSubstr(absl::StrCat("heed_step_seconds_count{model=\"m", i, "\"} 4\n")));
    EXPECT_THAT(text, HasSubstr(absl::StrCat("heed_running_tasks{model=\"m", i, "\"} 4\n")));
  }
}

TEST(MetricsTest, LabelValuesThatJoinToTheSameTextAreDifferentSeries) {
  Metrics metrics;
  metrics.Add(Metric::kRejections, {"ab", "c"}, 1);
  metrics.Add(Metric::kRejections, {"a", "bc"}, 2);
  EXPECT_THAT(metrics.Text(),
              AllOf(HasSubstr("{model=\"ab\",reason=\"c\"} 1"), HasSubstr("{model=\"a\",reason=\"bc\"} 2")));
}

TEST(MetricsTest, UnrecordedTellOfTheProcessAlone) {
  Metrics metrics(/*recorded=*/false);
  UseAll(metrics);
  EXPECT_THAT(metrics.Text(), AllOf(Not(HasSubstr("heed_requests_total{")), HasSubstr("process_threads ")));
}

TEST(MetricsTest, ProcessIsMeasuredAtTheScrape) {
  Metrics metrics;
  std::map<std::string, double> values;
  for (absl::string_view line : absl::StrSplit(metrics.Text(), '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() == 2) values[words[0]] = std::stod(words[1]);
  }
  EXPECT_GT(values["process_resident_memory_bytes"], 1e6);
  EXPECT_GT(values["process_start_time_seconds"], 1.5e9);
  EXPECT_GE(values["process_open_fds"], 3);
  EXPECT_GE(values["process_max_fds"], values["process_open_fds"]);
  EXPECT_GE(values["process_threads"], 1);
  EXPECT_GE(values["process_cpu_seconds_total"], 0);
}

}  // namespace
}  // namespace heed
