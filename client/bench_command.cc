#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/bench_sentences.h"
#include "client/channel.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/load_generator.h"
#include "client/text_width.h"
#include "client/translate_flags.h"
#include "client/translation_client.h"

namespace heed::client {
namespace {

struct Settings {
  ServerFlags server;
  TranslateFlags options;
  std::string model;
  std::string mode = "closed";
  std::vector<int> concurrency;
  std::optional<double> rate;
  double duration_seconds = 10;
  double warmup_seconds = 2;
  std::string input;
  int connections = 1;
  std::optional<uint64_t> load_seed;
  bool json = false;
};

CommandHelp Help() {
  return {"heed bench translate [flags]",
          "Measures a server under load, one line per request. In the closed loop a fixed number of requests is\n"
          "on its way at any time, one row for each number; in the open loop requests arrive at random (Poisson)\n"
          "at a mean rate, whether the server keeps up or not, and latency counts from when each was due.\n"
          "Refused requests are errors, not retried. Percentiles are exact, over all requests.",
          "Exit codes:\n"
          "  0    every request was answered\n"
          "  1    some requests failed, or none was answered in time\n"
          "  2    wrong flags, no such model, or several to choose from\n"
          "  3    no server, it went away, or no model that serves\n"
          "  130  interrupted\n"
          "\n"
          "Examples:\n"
          "  heed bench translate --concurrency=1,8,64 --beam=4\n"
          "  heed bench translate --mode=open --rate=50 --duration=30\n"
          "  heed bench translate --input=news.en --json\n"};
}

std::optional<int> ParseSettings(const std::vector<std::string>& arguments, Console& console, Settings& settings) {
  FlagTable flags;
  flags.AddSection("Server");
  settings.server.AddTo(flags, "Most seconds for a request; 0: no limit.");
  flags.AddString("model", &settings.model, "NAME", "The model (default: the only translator of the server).");
  flags.AddInt("connections", &settings.connections, 1, 1000, "Connections, which the requests go round.");
  flags.AddSection("Load");
  flags.AddChoice("mode", &settings.mode, {"closed", "open"}, "Closed or open loop.");
  flags.AddIntList("concurrency", &settings.concurrency, 1, 100000,
                   "Closed loop: requests on their way, a row for each number (default 1,8,64).");
  flags.AddDouble("rate", &settings.rate, 0.001, 1e6, "Open loop: mean requests per second; has to be given.");
  flags.AddUint64("load_seed", &settings.load_seed, "Open loop: the same seed gives the same arrivals (default 1).");
  flags.AddDouble("duration", &settings.duration_seconds, 0.01, 1e6, "SECONDS", "Measured time of each row.");
  flags.AddDouble("warmup", &settings.warmup_seconds, 0, 1e6, "SECONDS", "Time before it that is not measured.");
  flags.AddString("input", &settings.input, "FILE", "Lines to translate (default: 40 built-in English sentences).");
  flags.AddSection("Output");
  flags.AddBool("json", &settings.json, "One JSON object for each row.");
  settings.options.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(Help(), flags, arguments, 0, others, console)) return code;
  if (settings.mode == "closed") {
    if (settings.rate || settings.load_seed) {
      return Fail(console, kExitUsage, "--rate and --load_seed need --mode=open");
    }
    if (settings.concurrency.empty()) settings.concurrency = {1, 8, 64};
  } else {
    if (!settings.concurrency.empty()) return Fail(console, kExitUsage, "--concurrency needs --mode=closed");
    if (!settings.rate) return Fail(console, kExitUsage, "--mode=open needs --rate");
  }
  return std::nullopt;
}

std::optional<int> ReadTexts(const std::string& path, std::vector<std::string>& texts, Console& console) {
  if (path.empty()) {
    texts = BenchSentences();
    return std::nullopt;
  }
  std::ifstream file(path);
  if (!file) return Fail(console, kExitUsage, absl::StrCat("cannot read '", path, "'"));
  for (std::string line; std::getline(file, line);) {
    if (const auto invalid = FirstInvalidUtf8(line)) {
      return Fail(console, kExitUsage,
                  absl::StrCat("'", path, "', line ", texts.size() + 1, ": not UTF-8 at byte ", *invalid + 1));
    }
    texts.push_back(std::move(line));
  }
  if (texts.empty()) return Fail(console, kExitUsage, absl::StrCat("'", path, "' is empty"));
  return std::nullopt;
}

std::string HeaderText(const Settings& settings) {
  return absl::StrFormat("%9s  %8s  %6s  %11s  %9s  %9s  %8s  %8s  %8s  %8s\n",
                         settings.mode == "closed" ? "in flight" : "rate/s", "requests", "errors", "sentences/s",
                         "src tok/s", "tgt tok/s", "p50 ms", "p90 ms", "p99 ms", "max ms");
}

std::string RowText(const std::string& load, const LoadReport& report) {
  const std::vector<double>& latencies = report.latencies_ms;
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / report.seconds; };
  return absl::StrFormat("%9s  %8d  %6d  %11.1f  %9.0f  %9.0f  %8.1f  %8.1f  %8.1f  %8.1f\n", load, report.requests,
                         report.errors, rate(report.requests), rate(report.source_tokens), rate(report.target_tokens),
                         Percentile(latencies, 50), Percentile(latencies, 90), Percentile(latencies, 99),
                         Percentile(latencies, 100));
}

std::string RowJson(const Settings& settings, const std::string& model, double load, const LoadReport& report) {
  const std::vector<double>& latencies = report.latencies_ms;
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / report.seconds; };
  nlohmann::ordered_json json = {{"model", model}, {"mode", settings.mode}};
  if (settings.mode == "closed") {
    json["in_flight"] = static_cast<int>(load);
  } else {
    json["rate"] = load;
  }
  json.update({{"seconds", report.seconds},
               {"requests", report.requests},
               {"errors", report.errors},
               {"sentences_per_second", rate(report.requests)},
               {"source_tokens_per_second", rate(report.source_tokens)},
               {"target_tokens_per_second", rate(report.target_tokens)},
               {"p50_ms", Percentile(latencies, 50)},
               {"p90_ms", Percentile(latencies, 90)},
               {"p99_ms", Percentile(latencies, 99)},
               {"max_ms", Percentile(latencies, 100)}});
  return json.dump() + "\n";
}

// Whatever the sentences' options, in a few words.
std::string SearchText(const TranslateFlags& options) {
  if (options.sample) return "sampling";
  if (!options.beam) return "the model's beam";
  return *options.beam == 1 ? "greedy" : absl::StrCat("beam ", *options.beam);
}

}  // namespace

int BenchTranslateCommand(const std::vector<std::string>& arguments, Console& console) {
  Settings settings;
  if (const auto code = ParseSettings(arguments, console, settings)) return *code;
  LoadOptions load;
  if (const absl::Status filled = settings.options.Fill(*load.prototype.mutable_options()); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  if (const auto code = ReadTexts(settings.input, load.texts, console)) return *code;
  const std::string& address = settings.server.address;
  for (int i = 0; i < settings.connections; ++i) {
    load.channels.push_back(MakeChannel(address, /*own_connection=*/true));
  }
  const TranslationClient lister(load.channels[0], {.deadline = std::chrono::seconds(10), .stop = console.stop});
  std::string model;
  if (const auto code = ResolveModel(lister, address, settings.model, model, console)) return *code;
  load.prototype.set_model(model);
  const auto nanoseconds = [](double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  };
  load.warmup = nanoseconds(settings.warmup_seconds);
  load.duration = nanoseconds(settings.duration_seconds);
  load.deadline = settings.server.deadline();
  load.stop = console.stop;

  const bool closed = settings.mode == "closed";
  if (!settings.json) {
    console.out << absl::StrFormat("%s, %s, %s loop, %d texts, %g s after %g s of warm-up\n", model,
                                   SearchText(settings.options), settings.mode, load.texts.size(),
                                   settings.duration_seconds, settings.warmup_seconds)
                << HeaderText(settings) << std::flush;
  }
  bool failed = false;
  std::vector<double> rows(settings.concurrency.begin(), settings.concurrency.end());
  if (!closed) rows = {*settings.rate};
  for (const double row : rows) {
    const LoadReport report =
        closed ? RunClosedLoop(load, static_cast<int>(row)) : RunOpenLoop(load, row, settings.load_seed.value_or(1));
    if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
    if (report.unavailable) return FailCall(console, address, report.first_error);
    console.out << (settings.json ? RowJson(settings, model, row, report) : RowText(absl::StrCat(row), report))
                << std::flush;
    if (report.errors > 0) Fail(console, kExitFailed, absl::StrCat("first error: ", StatusText(report.first_error)));
    if (report.latencies_ms.empty()) Fail(console, kExitFailed, "no request was answered in the measured time");
    failed = failed || report.errors > 0 || report.latencies_ms.empty();
  }
  return failed ? kExitFailed : kExitOk;
}

}  // namespace heed::client
