// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "client/bench/bench_run.h"
#include "client/bench/bench_sentences.h"
#include "client/bench/load_generator.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/commands/translate_flags.h"

namespace heed::client {
namespace {

struct BenchTranslateSettings {
  ServerFlags server;
  TranslateFlags options;
  std::string model;
  LoadFlags load;
  std::string input;
  bool json = false;
};

CommandHelp BenchTranslateHelp() {
  return {
      "heed bench translate [flags]",
      "Measures a server under load, with one line per request.\n"
      "In the closed loop a fixed number of requests is in progress at any time, with a row of results for each\n"
      "number. In the open loop requests arrive at random times (Poisson) at a mean rate, whether or not the server\n"
      "keeps up, and latency counts from the time when each was due. Refused requests are errors and are not\n"
      "retried. Percentiles are exact, over all requests.",
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

std::optional<int> ParseBenchTranslateSettings(const std::vector<std::string>& arguments, Console& console,
                                               BenchTranslateSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a request. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME", "Name of the model. Defaults to the server's only translator.");
  settings.load.AddTo(flags);
  flags.AddString("input", &settings.input, "FILE",
                  "File of lines to translate. Defaults to 40 built-in English sentences.");
  flags.AddSection("Output");
  flags.AddBool("json", &settings.json, "Print a JSON object for each row.");
  settings.options.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(BenchTranslateHelp(), flags, arguments, 0, others, console)) return code;
  return settings.load.Check(console);
}

// Whatever the sentences' options, in a few words.
std::string SearchText(const TranslateFlags& options) {
  if (options.sample) return "sampling";
  if (!options.beam) return "the model's beam";
  return *options.beam == 1 ? "greedy" : absl::StrCat("beam ", *options.beam);
}

AnswerCounts Count(const v1::TranslateResponse& response) {
  AnswerCounts counts;
  for (const v1::TranslatedText& translation : response.translations()) {
    ++counts.items;
    counts.source_tokens += translation.source_token_count();
    counts.target_tokens += translation.target_token_count();
  }
  return counts;
}

}  // namespace

int BenchTranslateCommand(const std::vector<std::string>& arguments, Console& console) {
  BenchTranslateSettings settings;
  if (const auto code = ParseBenchTranslateSettings(arguments, console, settings)) return *code;
  v1::TranslateRequest prototype;
  if (const absl::Status filled = settings.options.Fill(*prototype.mutable_options()); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  prototype.mutable_options()->set_return_scores(false);
  std::vector<std::string> texts;
  if (const auto code = ReadBenchTexts(settings.input, texts, console)) return *code;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  if (const auto code = Connect(settings.server, settings.load.connections, channels, console)) return *code;
  if (const auto code = ResolveModel(channels[0], settings.server, "translator", settings.model,
                                     *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.server.model_version);
  const SendCall send = SendUnaryCalls<v1::TranslateRequest>(
      channels,
      [&](size_t number) {
        v1::TranslateRequest request = prototype;
        request.add_texts(texts[number % texts.size()]);
        return request;
      },
      Count);
  const BenchRun run = {
      .model = prototype.model(),
      .asked = SearchText(settings.options),
      .input = absl::StrCat(texts.size(), " texts"),
      .rates = {{"sentences/s", "sentences_per_second", 11, 1, [](const LoadReport& r) { return r.counts.items; }},
                {"src tok/s", "source_tokens_per_second", 9, 0,
                 [](const LoadReport& r) { return r.counts.source_tokens; }},
                {"tgt tok/s", "target_tokens_per_second", 9, 0,
                 [](const LoadReport& r) { return r.counts.target_tokens; }}},
      .json = settings.json};
  return RunBench(run, settings.load, settings.server, channels, send, console);
}

}  // namespace heed::client
