#include "server/metrics.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::HasSubstr;

absl::string_view Name(const MetricInfo& info) { return absl::string_view(info.name.data(), info.name.size()); }

// GET `path` of a server on this machine; the whole answer.
std::string Get(int port, const std::string& path) {
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
    EXPECT_EQ(write(connection, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    char buffer[4096];
    for (ssize_t n; (n = read(connection, buffer, sizeof(buffer))) > 0;) answer.append(buffer, static_cast<size_t>(n));
  }
  close(connection);
  return answer;
}

// Gives every metric of the table a value.
void UseAll(Metrics& metrics) {
  for (const MetricInfo& info : MetricTable()) {
    if (absl::StartsWith(Name(info), "process_") || info.metric == Metric::kPrimitiveCacheEntries) continue;
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

TEST(MetricsTest, EndpointAnswersOnThePortItPicked) {
  Metrics metrics;
  metrics.Add(Metric::kRejections, {"queue_full"});
  const auto port = metrics.Listen("127.0.0.1:0");
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_GT(*port, 0);
  const std::string answer = Get(*port, "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("heed_rejections_total{reason=\"queue_full\"} 1"));
}

TEST(MetricsTest, TakenPortIsAnError) {
  Metrics first, second;
  const auto port = first.Listen("127.0.0.1:0");
  ASSERT_TRUE(port.ok());
  const auto taken = second.Listen(absl::StrCat("127.0.0.1:", *port));
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr(absl::StrCat("127.0.0.1:", *port)));
}

}  // namespace
}  // namespace heed
