// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/soak_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/lib/channel.h"
#include "client/render/text_table.h"

namespace heed::client {
namespace {

constexpr double kMiB = 1 << 20;
constexpr int kMinReadings = 3;  // fewer give no slope

std::string MiBText(double bytes) { return absl::StrFormat("%.1f MiB", bytes / kMiB); }

}  // namespace

double SoakSettings::reading_interval() const { return std::min(1.0, duration_seconds / 20); }

int64_t SoakReport::requests() const {
  int64_t sum = 0;
  for (const KindReport& kind : kinds) sum += kind.requests;
  return sum;
}

int64_t SoakReport::failed() const {
  int64_t sum = 0;
  for (const KindReport& kind : kinds) sum += kind.failures;
  return sum;
}

void CountCall(const SoakCall& call, std::chrono::nanoseconds finished, const SoakSettings& settings,
               const std::vector<SoakKind>& kinds, SoakReport& report) {
  KindReport& kind = report.kinds[call.kind];
  ++kind.requests;
  if (!call.status.ok()) {
    if (report.failures.empty()) {
      report.first_failure = absl::StrCat(kinds[call.kind].model, ", ", kinds[call.kind].request, ": ",
                                          call.wrong ? call.status.error_message() : StatusText(call.status));
    }
    ++kind.failures;
    ++report.failures[call.wrong ? "wrong answer" : StatusCodeName(call.status.error_code())];
    return;
  }
  const double since = std::chrono::duration<double>(finished).count() - settings.warmup_seconds;
  if (since < 0 || since >= settings.duration_seconds) return;
  const double ms = std::chrono::duration<double, std::milli>(finished - call.scheduled).count();
  kind.latencies.Add(ms);
  const double quarter = since / settings.duration_seconds * static_cast<double>(report.quarters.size());
  report.quarters[std::min(static_cast<size_t>(quarter), report.quarters.size() - 1)].Add(ms);
}

std::string SoakReportText(const SoakReport& report, const std::vector<SoakKind>& kinds, const SoakSettings& settings) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "request", "requests", "answers", "failures", "p50 ms", "p99 ms"}};
  const auto row = [&rows](const std::string& model, const std::string& request, const KindReport& kind) {
    rows.push_back({model, request, absl::StrCat(kind.requests), absl::StrCat(kind.requests - kind.failures),
                    absl::StrCat(kind.failures), absl::StrFormat("%.2f", kind.latencies.Percentile(50)),
                    absl::StrFormat("%.2f", kind.latencies.Percentile(99))});
  };
  for (size_t i = 0; i < kinds.size(); ++i) row(kinds[i].model, kinds[i].request, report.kinds[i]);
  std::string out = TextTable(rows, {2, 3, 4, 5, 6});
  absl::StrAppend(&out, "\nrequests ", report.requests(), ", answers ", report.requests() - report.failed(),
                  ", failures ", report.failed(), "\n");
  for (const auto& [kind, count] : report.failures) absl::StrAppend(&out, "  ", kind, " ", count, "\n");
  const LatencyCounts& first = report.quarters.front();
  const LatencyCounts& last = report.quarters.back();
  absl::StrAppendFormat(&out, "latency  first quarter p50 %.2f, p99 %.2f ms; last quarter p50 %.2f, p99 %.2f ms\n",
                        first.Percentile(50), first.Percentile(99), last.Percentile(50), last.Percentile(99));
  if (report.memory) {
    const MemoryGrowth& memory = *report.memory;
    absl::StrAppend(&out, "memory   start ", MiBText(memory.start), ", peak ", MiBText(memory.peak), ", end ",
                    MiBText(memory.end), "\n");
    absl::StrAppendFormat(&out, "growth   %+.2f MiB over the second half (%+.1f MiB/h); at most %g MiB\n",
                          memory.grown / kMiB, memory.bytes_per_hour / kMiB, settings.max_growth_mib);
  }
  return out;
}

std::string SoakReportJson(const SoakReport& report, const std::vector<SoakKind>& kinds, const SoakSettings& settings) {
  using Json = nlohmann::ordered_json;
  const auto latencies = [](const LatencyCounts& counts) {
    return Json{{"answers", counts.count()}, {"p50_ms", counts.Percentile(50)}, {"p99_ms", counts.Percentile(99)}};
  };
  Json by_kind = Json::array();
  for (size_t i = 0; i < kinds.size(); ++i) {
    const KindReport& kind = report.kinds[i];
    by_kind.push_back({{"model", kinds[i].model},
                       {"request", kinds[i].request},
                       {"requests", kind.requests},
                       {"failures", kind.failures},
                       {"measured", latencies(kind.latencies)}});
  }
  Json quarters = Json::array();
  for (const LatencyCounts& quarter : report.quarters) quarters.push_back(latencies(quarter));
  Json json = {{"seconds", report.seconds},       {"concurrency", settings.concurrency},
               {"requests", report.requests()},   {"answers", report.requests() - report.failed()},
               {"failures", report.failed()},     {"failures_by_kind", report.failures},
               {"quarters", std::move(quarters)}, {"kinds", std::move(by_kind)}};
  if (report.memory) {
    json["memory"] = {{"start_bytes", report.memory->start},
                      {"peak_bytes", report.memory->peak},
                      {"end_bytes", report.memory->end},
                      {"second_half_growth_bytes", report.memory->grown},
                      {"growth_bytes_per_hour", report.memory->bytes_per_hour},
                      {"second_half_readings", report.second_half_readings},
                      {"missed_readings", report.missed_readings}};
  }
  return JsonText(json) + "\n";
}

std::vector<std::string> SoakFaults(const SoakReport& report, const SoakSettings& settings) {
  std::vector<std::string> faults;
  if (report.failed() > 0) faults.push_back(absl::StrCat("first failure: ", VisibleLine(report.first_failure)));
  if (report.requests() == report.failed()) faults.emplace_back("no request was answered");
  if (report.restarted) faults.emplace_back("the server restarted meanwhile");
  if (!report.memory) return faults;
  // With fewer, the slope says nothing.
  const double expected = report.seconds / 2 / settings.reading_interval();
  const int64_t needed = std::max<int64_t>(kMinReadings, std::llround(expected / 2));
  if (report.second_half_readings < needed) {
    faults.push_back(absl::StrCat("the server's memory could be read ", report.second_half_readings,
                                  " times in the second half, which takes at least ", needed,
                                  " to tell whether it grows; readings that failed: ", report.missed_readings));
  }
  if (report.memory->grown > settings.max_growth_mib * kMiB) {
    faults.push_back(
        absl::StrFormat("the server's memory grew by %.2f MiB over the second half, more than --max_growth_mib=%g",
                        report.memory->grown / kMiB, settings.max_growth_mib));
  }
  return faults;
}

}  // namespace heed::client
