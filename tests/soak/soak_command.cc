// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/soak_command.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/bench/load_generator.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"
#include "client/commands/close_sessions.h"
#include "client/lib/channel.h"
#include "client/lib/translation_client.h"
#include "client/render/progress_bar.h"
#include "client/top/server_metrics.h"
#include "tests/soak/memory_watch.h"
#include "tests/soak/soak_load.h"
#include "tests/soak/soak_report.h"

namespace heed::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Settings {
  ServerFlags server{.deadline_seconds = 30};
  std::string models;
  SoakSettings load;
  std::string metrics = kDefaultMetricsAddress;
  bool json = false;

  std::optional<HttpAddress> metrics_address;  // none: the memory is not watched
};

CommandHelp Help() {
  return {
      "heed-soak [flags]",
      "Puts a mixed load on all models of a server for a long time: translations (greedy, beam, streamed), nodes,\n"
      "edges, graphs, stories, sequences, and sessions that are opened, told, asked, copied and closed. There are\n"
      "as many requests of each kind, and a fixed number is in progress at any time. Each distinct request is first\n"
      "made by itself; every later answer must be the same to the bit. Refused requests are failures and are not\n"
      "retried.\n"
      "\n"
      "Meanwhile the command reads the server's resident memory from its metrics page each second, or 20 times in a\n"
      "shorter run. The memory may grow by at most --max_growth_mib over the second half of the time. (The slope is\n"
      "the median of all slopes between two readings.) This is not a rate, so that a longer run finds a smaller\n"
      "leak. At least half of the readings in the second half must succeed. Percentiles are at most 2 % too high.",
      "Exit codes:\n"
      "  0    every answer was right, and the memory did not grow\n"
      "  1    a request failed or had a wrong answer, the memory grew or could not be read, or the server restarted\n"
      "  2    wrong flags, or no such model\n"
      "  3    no server, no metrics, it went away, or no model that serves\n"
      "  130  interrupted; the results until then are printed\n"
      "\n"
      "Examples:\n"
      "  heed-soak --duration=600\n"
      "  heed-soak --duration=86400 --concurrency=4 --json > soak.json\n"
      "  heed-soak --models=translator-en-de,ntm-babi --metrics=10.0.0.1:8002 --server=10.0.0.1:50051\n"
      "  heed-soak --metrics= --duration=10    # only the answers\n"};
}

std::optional<int> ParseSettings(const std::vector<std::string>& arguments, Console& console, Settings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a request. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  flags.AddString("models", &settings.models, "NAME,...", "Names of the models. Defaults to all that serve.");
  flags.AddString("metrics", &settings.metrics, "HOST:PORT",
                  "Address of the server's metrics page. Empty does not watch its memory.");
  flags.AddSection("Load");
  flags.AddInt("concurrency", &settings.load.concurrency, 1, 10000, "Number of requests in progress.");
  flags.AddDouble("duration", &settings.load.duration_seconds, 1, 1e7, "SECONDS", "Time that is measured.");
  flags.AddDouble("warmup", &settings.load.warmup_seconds, 0, 1e6, "SECONDS",
                  "Time before it, whose latencies and memory are not measured.");
  flags.AddSection("Output");
  flags.AddDouble("max_growth_mib", &settings.load.max_growth_mib, 0, 1e6, "MIB",
                  "Maximum growth of the server's memory over the second half of the time. More fails the test.");
  flags.AddBool("json", &settings.json, "Print a JSON object.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(Help(), flags, arguments, 0, others, console)) return code;
  if (settings.metrics.empty()) return std::nullopt;
  absl::StatusOr<HttpAddress> address = ParseHttpAddress(settings.metrics);
  if (!address.ok()) return Fail(console, kExitUsage, absl::StrCat("--metrics: ", address.status().message()));
  settings.metrics_address = *std::move(address);
  return std::nullopt;
}

// The models to ask: all that are ready, or those of the flag. An exit code after a message, or none.
std::optional<int> ChooseModels(const Settings& settings, const std::shared_ptr<grpc::Channel>& channel,
                                Console& console, std::vector<v1::ModelInfo>& chosen) {
  const TranslationClient client(channel, {.deadline = std::chrono::seconds(10), .stop = console.stop});
  v1::ListModelsResponse models;
  const grpc::Status listed = client.ListModels(models);
  if (!listed.ok()) return FailCall(console, settings.server, *channel, listed);
  std::set<std::string> wanted = absl::StrSplit(settings.models, ',', absl::SkipWhitespace());
  const bool all = wanted.empty();
  std::set<std::string> known;
  for (const v1::ModelInfo& model : models.models()) {
    known.insert(model.name());
    if (!all && !wanted.contains(model.name())) continue;
    if (model.state() == v1::MODEL_STATE_LOADING) {
      return Fail(console, kExitUnavailable,
                  absl::StrCat("model '", model.name(), "' is loading still; `heed health --wait` waits for it"));
    }
    if (model.state() != v1::MODEL_STATE_READY || !model.is_default()) continue;
    chosen.push_back(model);
    wanted.erase(model.name());
  }
  for (const std::string& name : wanted) {
    if (!known.contains(name)) return Fail(console, kExitUsage, absl::StrCat("no model named '", name, "'"));
    return Fail(console, kExitUnavailable, absl::StrCat("model '", name, "' does not serve"));
  }
  if (chosen.empty()) return Fail(console, kExitUnavailable, "the server has no model that serves");
  return std::nullopt;
}

// Makes each request by itself. An exit code after a message, or none.
std::optional<int> Learn(const Settings& settings, const std::vector<v1::ModelInfo>& models, grpc::Channel& channel,
                         Console& console, SoakLoad& load) {
  for (const v1::ModelInfo& model : models) {
    const grpc::Status status = load.AddModel(model);
    if (status.ok()) continue;
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      Note(console, absl::StrCat(model.name(), " is left out: ", VisibleLine(status.error_message())));
      continue;
    }
    const int code = FailCall(console, settings.server, channel, status);
    if (code != kExitInterrupted) Note(console, absl::StrCat("this was a request to ", model.name()));
    return code;
  }
  if (load.kinds().empty()) return Fail(console, kExitUnavailable, "no model is left to be asked");
  return std::nullopt;
}

std::chrono::nanoseconds Nanoseconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

void AddMemory(MemoryWatch& watch, double warmup_seconds, SoakReport& report) {
  const std::vector<MemoryReading> readings = watch.TakeReadings(warmup_seconds, report.seconds);
  report.memory = MeasureGrowth(readings, report.seconds);
  report.second_half_readings = std::count_if(readings.begin(), readings.end(), [&](const MemoryReading& reading) {
    return reading.seconds >= report.seconds / 2;
  });
  report.missed_readings = watch.failed();
  report.restarted = watch.restarted();
}

// Puts the load on the server and watches its memory.
LoadReport RunLoad(const Settings& settings, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                   SoakLoad& soak, Console& console, SoakReport& report) {
  const SteadyClock::time_point start = SteadyClock::now();
  ProgressBar bar(console.err_is_terminal ? &console.err : nullptr, console.columns, start);
  report.kinds.resize(soak.kinds().size());
  const int64_t total_ms = std::llround(1000 * (settings.load.warmup_seconds + settings.load.duration_seconds));
  int64_t ended = 0;
  LoadOptions load = {.channels = channels,
                      .send = soak.Send(),
                      .warmup = Nanoseconds(settings.load.warmup_seconds),
                      .duration = Nanoseconds(settings.load.duration_seconds),
                      .deadline = settings.server.deadline(),
                      .stop = console.stop};
  load.keep_latencies = false;
  load.on_end = [&](const LoadCall& call, std::chrono::nanoseconds finished) {
    CountCall(static_cast<const SoakCall&>(call), finished, settings.load, soak.kinds(), report);
    const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(finished).count();
    bar.Update({.lines = ++ended, .unit = "requests", .bytes = ms, .total_bytes = total_ms}, SteadyClock::now());
  };
  std::optional<MemoryWatch> watch;
  if (settings.metrics_address) {
    watch.emplace(*settings.metrics_address, start, Nanoseconds(settings.load.reading_interval()));
  }
  LoadReport run = RunClosedLoop(load, settings.load.concurrency);
  bar.Clear();
  const double elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
  report.seconds = std::clamp(elapsed - settings.load.warmup_seconds, 0.0, settings.load.duration_seconds);
  if (watch) AddMemory(*watch, settings.load.warmup_seconds, report);
  return run;
}

int Soak(const Settings& settings, const std::vector<std::shared_ptr<grpc::Channel>>& channels, SoakLoad& soak,
         Console& console) {
  SoakReport report;
  const LoadReport run = RunLoad(settings, channels, soak, console, report);
  console.out << (settings.json ? SoakReportJson(report, soak.kinds(), settings.load)
                                : SoakReportText(report, soak.kinds(), settings.load))
              << std::flush;
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  if (run.unavailable) return FailCall(console, settings.server, *channels[0], run.first_error);
  int code = kExitOk;
  for (const std::string& fault : SoakFaults(report, settings.load)) code = Fail(console, kExitFailed, fault);
  return code;
}

}  // namespace

int SoakCommand(const std::vector<std::string>& arguments, Console& console) {
  Settings settings;
  if (const auto code = ParseSettings(arguments, console, settings)) return *code;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  if (const auto code = Connect(settings.server, 1, channels, console)) return *code;
  std::vector<v1::ModelInfo> models;
  if (const auto code = ChooseModels(settings, channels[0], console, models)) return *code;
  if (settings.metrics_address) {
    const absl::StatusOr<MetricsPage> page = ReadServerMetrics(*settings.metrics_address, console.stop);
    if (!page.ok()) return FailServerMetrics(console, settings.metrics, page.status());
  }
  SoakLoad soak(channels[0], console.stop);
  int code = kExitOk;
  if (const auto failed = Learn(settings, models, *channels[0], console, soak)) {
    code = *failed;
  } else {
    if (!settings.json) {
      console.out << absl::StrFormat("%d models, %d kinds of requests, %d in flight, %g s after %g s of warm-up\n\n",
                                     models.size(), soak.kinds().size(), settings.load.concurrency,
                                     settings.load.duration_seconds, settings.load.warmup_seconds)
                  << std::flush;
    }
    code = Soak(settings, channels, soak, console);
  }
  CloseSessions(channels[0], soak.OpenSessions(), console);
  return code;
}

}  // namespace heed::client
