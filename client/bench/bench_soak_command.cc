// SPDX-License-Identifier: Apache-2.0
// heed bench soak: a mixed load on all models for a long time; are the answers right, and does the memory grow?
#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/bench/latency_counts.h"
#include "client/bench/load_generator.h"
#include "client/bench/memory_growth.h"
#include "client/bench/soak_load.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/commands/close_sessions.h"
#include "client/lib/channel.h"
#include "client/lib/translation_client.h"
#include "client/render/progress_bar.h"
#include "client/render/text_table.h"
#include "client/top/server_metrics.h"

namespace heed::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kQuarters = 4;
constexpr double kMiB = 1 << 20;
constexpr int kFewestReadings = 3;  // that tell a slope

struct Settings {
  ServerFlags server{.deadline_seconds = 30};
  std::string models;
  int concurrency = 16;
  double duration_seconds = 60;
  double warmup_seconds = 5;
  std::string metrics = kDefaultMetricsAddress;
  // A server that keeps nothing moves by 1 to 2 MiB as the allocator takes and gives back; at 500 requests a second
  // this finds a leak of 560 bytes a request in a minute, of 56 in ten.
  double max_growth_mib = 8;
  bool json = false;

  std::optional<HttpAddress> metrics_address;  // none: the memory is not looked at

  // Between two readings of the memory.
  double reading_interval() const { return std::min(1.0, duration_seconds / 20); }
};

CommandHelp Help() {
  return {
      "heed bench soak [flags]",
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
      "  heed bench soak --duration=600\n"
      "  heed bench soak --duration=86400 --concurrency=4 --json > soak.json\n"
      "  heed bench soak --models=translator-en-de,ntm-babi --metrics=10.0.0.1:8002 --server=10.0.0.1:50051\n"
      "  heed bench soak --metrics= --duration=10    # only the answers\n"};
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
  flags.AddInt("concurrency", &settings.concurrency, 1, 10000, "Number of requests in progress.");
  flags.AddDouble("duration", &settings.duration_seconds, 1, 1e7, "SECONDS", "Time that is measured.");
  flags.AddDouble("warmup", &settings.warmup_seconds, 0, 1e6, "SECONDS",
                  "Time before it, whose latencies and memory are not measured.");
  flags.AddSection("Output");
  flags.AddDouble("max_growth_mib", &settings.max_growth_mib, 0, 1e6, "MIB",
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

// Reads the server's memory every `interval`, on a thread of its own, from its construction on.
class MemoryWatch {
 public:
  MemoryWatch(const HttpAddress& address, SteadyClock::time_point start, SteadyClock::duration interval)
      : address_(address),
        start_(start),
        interval_(interval),
        thread_([this](const std::stop_token& stop) { Watch(stop); }) {}

  // Ends the watch. Those of the measured time, which begins `begin` after the start, by when they were made.
  std::vector<MemoryReading> TakeReadings(double begin, double seconds) {
    Stop();
    std::vector<MemoryReading> taken;
    for (const MemoryReading& reading : readings_) {
      const double time = reading.seconds - begin;
      if (time >= 0 && time <= seconds) taken.push_back({time, reading.bytes});
    }
    return taken;
  }
  // After TakeReadings(): readings that failed, and whether another process answered in between.
  int failed() const { return failed_; }
  bool restarted() const { return starts_.size() > 1; }

 private:
  void Stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  void Watch(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    SteadyClock::time_point next = start_;
    while (!stop.stop_requested()) {
      const absl::StatusOr<MetricsPage> page = ReadServerMetrics(address_, stop);
      if (stop.stop_requested()) return;
      const std::optional<double> bytes = page.ok() ? page->Sum("process_resident_memory_bytes") : std::nullopt;
      if (bytes) {
        readings_.push_back({std::chrono::duration<double>(SteadyClock::now() - start_).count(), *bytes});
        starts_.insert(page->Sum("process_start_time_seconds").value_or(0));
      } else {
        ++failed_;
      }
      next = std::max(next + interval_, SteadyClock::now());
      std::unique_lock lock(mutex);
      stopped.wait_until(lock, stop, next, [] { return false; });
    }
  }

  const HttpAddress address_;
  const SteadyClock::time_point start_;
  const SteadyClock::duration interval_;
  // The thread's until it has ended.
  std::vector<MemoryReading> readings_;
  std::set<double> starts_;  // of the processes that answered
  int failed_ = 0;
  std::jthread thread_;
};

// What became of the requests of one kind.
struct KindReport {
  int64_t requests = 0;  // that were answered or failed, in the warm-up too
  int64_t failures = 0;
  LatencyCounts latencies;  // of the answers in the measured time
};

struct SoakReport {
  std::vector<KindReport> kinds;
  std::map<std::string, int64_t> failures;  // by status, or "wrong answer"
  std::string first_failure;
  std::array<LatencyCounts, kQuarters> quarters;  // of the measured time
  double seconds = 0;                             // that were measured
  std::optional<MemoryGrowth> memory;
  int64_t second_half_readings = 0;
  int missed_readings = 0;
  bool restarted = false;

  int64_t requests() const {
    int64_t sum = 0;
    for (const KindReport& kind : kinds) sum += kind.requests;
    return sum;
  }
  int64_t failed() const {
    int64_t sum = 0;
    for (const KindReport& kind : kinds) sum += kind.failures;
    return sum;
  }
};

void Count(const SoakCall& call, std::chrono::nanoseconds finished, const LoadOptions& load,
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
  const std::chrono::nanoseconds since = finished - load.warmup;
  if (since < std::chrono::nanoseconds(0) || since >= load.duration) return;
  const double ms = std::chrono::duration<double, std::milli>(finished - call.scheduled).count();
  kind.latencies.Add(ms);
  report.quarters[static_cast<size_t>(since * kQuarters / load.duration)].Add(ms);
}

std::string MiBText(double bytes) { return absl::StrFormat("%.1f MiB", bytes / kMiB); }

std::string ReportText(const SoakReport& report, const std::vector<SoakKind>& kinds, const Settings& settings) {
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

std::string ReportJson(const SoakReport& report, const std::vector<SoakKind>& kinds, const Settings& settings) {
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

// Makes each request alone. An exit code after a message, or none.
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

// What is wrong with it, each on a line of console.err. The exit code.
int Judge(const SoakReport& report, const Settings& settings, Console& console) {
  int code = kExitOk;
  if (report.failed() > 0) {
    code = Fail(console, kExitFailed, absl::StrCat("first failure: ", VisibleLine(report.first_failure)));
  }
  if (report.requests() == report.failed()) code = Fail(console, kExitFailed, "no request was answered");
  if (report.restarted) code = Fail(console, kExitFailed, "the server restarted meanwhile");
  if (!report.memory) return code;
  // With fewer, the slope says nothing.
  const double expected = report.seconds / 2 / settings.reading_interval();
  const int64_t needed = std::max<int64_t>(kFewestReadings, std::llround(expected / 2));
  if (report.second_half_readings < needed) {
    code = Fail(console, kExitFailed,
                absl::StrCat("the server's memory could be read ", report.second_half_readings,
                             " times in the second half, which takes at least ", needed,
                             " to tell whether it grows; readings that failed: ", report.missed_readings));
  }
  if (report.memory->grown > settings.max_growth_mib * kMiB) {
    code = Fail(console, kExitFailed,
                absl::StrFormat("the server's memory grew by %.2f MiB over the second half, more than "
                                "--max_growth_mib=%g",
                                report.memory->grown / kMiB, settings.max_growth_mib));
  }
  return code;
}

int Soak(const Settings& settings, const std::vector<std::shared_ptr<grpc::Channel>>& channels, SoakLoad& soak,
         Console& console) {
  const auto nanoseconds = [](double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  };
  const SteadyClock::time_point start = SteadyClock::now();
  ProgressBar bar(console.err_is_terminal ? &console.err : nullptr, console.columns, start);
  SoakReport report;
  report.kinds.resize(soak.kinds().size());
  int64_t ended = 0;
  LoadOptions load = {.channels = channels,
                      .send = soak.Send(),
                      .warmup = nanoseconds(settings.warmup_seconds),
                      .duration = nanoseconds(settings.duration_seconds),
                      .deadline = settings.server.deadline(),
                      .stop = console.stop};
  load.keep_latencies = false;
  load.on_end = [&](const LoadCall& call, std::chrono::nanoseconds finished) {
    Count(static_cast<const SoakCall&>(call), finished, load, soak.kinds(), report);
    bar.Update(
        {.lines = ++ended,
         .unit = "requests",
         .bytes = std::chrono::duration_cast<std::chrono::milliseconds>(finished).count(),
         .total_bytes = std::chrono::duration_cast<std::chrono::milliseconds>(load.warmup + load.duration).count()},
        SteadyClock::now());
  };
  std::optional<MemoryWatch> watch;
  if (settings.metrics_address)
    watch.emplace(*settings.metrics_address, start, nanoseconds(settings.reading_interval()));
  const LoadReport run = RunClosedLoop(load, settings.concurrency);
  bar.Clear();
  const double elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
  report.seconds = std::clamp(elapsed - settings.warmup_seconds, 0.0, settings.duration_seconds);
  if (watch) {
    const std::vector<MemoryReading> readings = watch->TakeReadings(settings.warmup_seconds, report.seconds);
    report.memory = MeasureGrowth(readings, report.seconds);
    report.second_half_readings = std::count_if(readings.begin(), readings.end(), [&](const MemoryReading& reading) {
      return reading.seconds >= report.seconds / 2;
    });
    report.missed_readings = watch->failed();
    report.restarted = watch->restarted();
  }
  console.out << (settings.json ? ReportJson(report, soak.kinds(), settings)
                                : ReportText(report, soak.kinds(), settings))
              << std::flush;
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  if (run.unavailable) return FailCall(console, settings.server, *channels[0], run.first_error);
  return Judge(report, settings, console);
}

}  // namespace

int BenchSoakCommand(const std::vector<std::string>& arguments, Console& console) {
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
                                     models.size(), soak.kinds().size(), settings.concurrency,
                                     settings.duration_seconds, settings.warmup_seconds)
                  << std::flush;
    }
    code = Soak(settings, channels, soak, console);
  }
  CloseSessions(channels[0], soak.OpenSessions(), console);
  return code;
}

}  // namespace heed::client
