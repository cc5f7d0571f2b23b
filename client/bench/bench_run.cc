// SPDX-License-Identifier: Apache-2.0
#include "client/bench/bench_run.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/cli/exit_code.h"
#include "client/lib/channel.h"
#include "client/render/text_width.h"

namespace heed::client {
namespace {

std::string HeaderText(const BenchRun& run, const LoadFlags& flags) {
  std::string out = absl::StrFormat("%9s  %8s  %6s", flags.closed() ? "in flight" : "rate/s", "requests", "errors");
  for (const BenchRate& rate : run.rates) absl::StrAppend(&out, "  ", PadLeft(rate.title, rate.columns));
  return absl::StrCat(out, absl::StrFormat("  %8s  %8s  %8s  %8s\n", "p50 ms", "p90 ms", "p99 ms", "max ms"));
}

double PerSecond(const BenchRate& rate, const LoadReport& report) {
  return static_cast<double>(rate.count(report)) / report.seconds;
}

std::string RowText(const BenchRun& run, const std::string& load, const LoadReport& report) {
  const std::vector<double>& latencies = report.latencies_ms;
  std::string out = absl::StrFormat("%9s  %8d  %6d", load, report.requests, report.errors);
  for (const BenchRate& rate : run.rates) {
    absl::StrAppendFormat(&out, "  %*.*f", rate.columns, rate.decimals, PerSecond(rate, report));
  }
  for (const double percent : {50, 90, 99, 100}) {
    absl::StrAppendFormat(&out, "  %8.*f", run.latency_decimals, Percentile(latencies, percent));
  }
  absl::StrAppend(&out, "\n");
  if (!report.refusals_ms.empty() || report.expired > 0) {
    absl::StrAppendFormat(&out, "%9s  %d refused (p50 %.*f ms, p99 %.*f ms), %d past their deadline\n", "",
                          report.refusals_ms.size(), run.latency_decimals, Percentile(report.refusals_ms, 50),
                          run.latency_decimals, Percentile(report.refusals_ms, 99), report.expired);
  }
  return out;
}

std::string RowJson(const BenchRun& run, const LoadFlags& flags, double load, const LoadReport& report) {
  const std::vector<double>& latencies = report.latencies_ms;
  nlohmann::ordered_json json = {{"model", run.model}, {"mode", flags.mode}};
  if (flags.closed()) {
    json["in_flight"] = static_cast<int>(load);
  } else {
    json["rate"] = load;
  }
  json.update({{"seconds", report.seconds}, {"requests", report.requests}, {"errors", report.errors}});
  for (const BenchRate& rate : run.rates) json[rate.json_name] = PerSecond(rate, report);
  json.update({{"p50_ms", Percentile(latencies, 50)},
               {"p90_ms", Percentile(latencies, 90)},
               {"p99_ms", Percentile(latencies, 99)},
               {"max_ms", Percentile(latencies, 100)},
               {"refused", report.refusals_ms.size()},
               {"refused_p50_ms", Percentile(report.refusals_ms, 50)},
               {"refused_p99_ms", Percentile(report.refusals_ms, 99)},
               {"expired", report.expired}});
  return JsonText(json) + "\n";
}

}  // namespace

void LoadFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Load");
  flags.AddInt("connections", &connections, 1, 1000, "Number of connections. Requests use them in turn.");
  flags.AddChoice("mode", &mode, {"closed", "open"},
                  "Closed loop (a fixed number of requests in progress) or open loop (requests at random times).");
  flags.AddIntList("concurrency", &concurrency, 1, 100000,
                   "Closed loop: numbers of requests in progress, with a row of results for each. Defaults to 1,8,64.");
  flags.AddDouble("rate", &rate, 0.001, 1e6, "Open loop: mean requests per second. Required there.");
  flags.AddUint64("load_seed", &load_seed,
                  "Open loop: seed of the arrival times. The same seed gives the same arrivals. Defaults to 1.");
  flags.AddDouble("duration", &duration_seconds, 0.01, 1e6, "SECONDS", "Time that is measured for each row.");
  flags.AddDouble("warmup", &warmup_seconds, 0, 1e6, "SECONDS", "Time before it that is not measured.");
}

std::optional<int> LoadFlags::Check(Console& console) {
  if (closed()) {
    if (rate || load_seed) return Fail(console, kExitUsage, "--rate and --load_seed need --mode=open");
    if (concurrency.empty()) concurrency = {1, 8, 64};
    return std::nullopt;
  }
  if (!concurrency.empty()) return Fail(console, kExitUsage, "--concurrency needs --mode=closed");
  if (!rate) return Fail(console, kExitUsage, "--mode=open needs --rate");
  return std::nullopt;
}

int RunBench(const BenchRun& run, const LoadFlags& flags, const ServerFlags& server,
             const std::vector<std::shared_ptr<grpc::Channel>>& channels, const SendCall& send, Console& console) {
  const auto nanoseconds = [](double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  };
  const LoadOptions load = {.channels = channels,
                            .send = send,
                            .warmup = nanoseconds(flags.warmup_seconds),
                            .duration = nanoseconds(flags.duration_seconds),
                            .deadline = server.deadline(),
                            .stop = console.stop};
  if (!run.json) {
    console.out << absl::StrFormat("%s, %s, %s loop, %s, %g s after %g s of warm-up\n", VisibleLine(run.model),
                                   run.asked, flags.mode, run.input, flags.duration_seconds, flags.warmup_seconds)
                << HeaderText(run, flags) << std::flush;
  }
  bool failed = false;
  std::vector<double> rows(flags.concurrency.begin(), flags.concurrency.end());
  if (!flags.closed()) rows = {*flags.rate};
  for (const double row : rows) {
    const LoadReport report = flags.closed() ? RunClosedLoop(load, static_cast<int>(row))
                                             : RunOpenLoop(load, row, flags.load_seed.value_or(1));
    if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
    if (report.unavailable) return FailCall(console, server, *channels[0], report.first_error);
    console.out << (run.json ? RowJson(run, flags, row, report) : RowText(run, absl::StrCat(row), report))
                << std::flush;
    if (!console.out) return FailOutput(console);
    if (report.errors > 0) Fail(console, kExitFailed, absl::StrCat("first error: ", StatusText(report.first_error)));
    if (report.latencies_ms.empty()) Fail(console, kExitFailed, "no request was answered in the measured time");
    failed = failed || report.errors > 0 || report.latencies_ms.empty();
  }
  return failed ? kExitFailed : kExitOk;
}

}  // namespace heed::client
