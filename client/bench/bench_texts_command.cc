// SPDX-License-Identifier: Apache-2.0
// heed bench score and heed bench generate: load on a language model.
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/bench/bench_run.h"
#include "client/bench/bench_sentences.h"
#include "client/bench/load_generator.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/text_flags.h"
#include "client/lib/text_client.h"

namespace heed::client {
namespace {

constexpr char kBenchTextsCodes[] =
    "Exit codes:\n"
    "  0    every request was answered\n"
    "  1    some requests failed, or none was answered in time\n"
    "  2    wrong flags, no such model, or several to choose from\n"
    "  3    no server, it went away, or no model that serves\n"
    "  130  interrupted\n"
    "\n"
    "Examples:\n";

CommandHelp BenchScoreHelp() {
  return {
      "heed bench score [flags]",
      "Measures a language model under load, with one line to score per request. The loops and the percentiles are\n"
      "those of heed bench translate.",
      absl::StrCat(kBenchTextsCodes,
                   "  heed bench score --model=txl-novels --concurrency=1,8,64\n"
                   "  heed bench score --mode=open --rate=50 --input=lines.txt --json\n")};
}

CommandHelp BenchGenerateHelp() {
  return {"heed bench generate [flags]",
          "Measures a language model under load, with one prompt to go on from per request. The loops and the\n"
          "percentiles are those of heed bench translate.",
          absl::StrCat(kBenchTextsCodes,
                       "  heed bench generate --model=txl-novels --max_tokens=32 --concurrency=1,8,64\n"
                       "  heed bench generate --temperature=0.8 --input=prompts.txt --json\n")};
}

struct BenchTextsSettings {
  ServerFlags server;
  std::string model;
  LoadFlags load;
  std::string input;
  bool json = false;
};

void AddBenchTextsFlags(FlagTable& flags, const std::string& what, BenchTextsSettings& settings) {
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a request. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME", "Name of the model. Defaults to the server's only language model.");
  settings.load.AddTo(flags);
  flags.AddString("input", &settings.input, "FILE",
                  absl::StrCat("File of ", what, ", one a line. Defaults to 40 built-in English sentences."));
  flags.AddSection("Output");
  flags.AddBool("json", &settings.json, "Print a JSON object for each row.");
}

// Connects, and runs the load of requests that `fill` completes with a text. Returns the exit code.
template <typename Request>
int RunBenchTexts(const BenchTextsSettings& settings, Request prototype, const std::string& asked,
                  void (*fill)(Request& request, const std::string& text),
                  AnswerCounts (*count)(const typename UnaryCall<Request>::Response& response), Console& console) {
  std::vector<std::string> texts;
  if (const auto code = ReadBenchTexts(settings.input, texts, console)) return *code;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  if (const auto code = Connect(settings.server, settings.load.connections, channels, console)) return *code;
  if (const auto code = ResolveModel(channels[0], settings.server, kLanguageModel, settings.model,
                                     *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.server.model_version);
  const SendCall send = SendUnaryCalls<Request>(
      channels,
      [&](size_t number) {
        Request request = prototype;
        fill(request, texts[number % texts.size()]);
        return request;
      },
      count);
  const BenchRun run = {
      .model = prototype.model(),
      .asked = asked,
      .input = absl::StrCat(texts.size(), " texts"),
      .rates = {{"texts/s", "texts_per_second", 9, 1, [](const LoadReport& r) { return r.counts.items; }},
                {"tokens/s", "tokens_per_second", 9, 0, [](const LoadReport& r) { return r.counts.target_tokens; }}},
      .json = settings.json};
  return RunBench(run, settings.load, settings.server, channels, send, console);
}

}  // namespace

int BenchScoreCommand(const std::vector<std::string>& arguments, Console& console) {
  BenchTextsSettings settings;
  ScoreFlags options;
  FlagTable flags;
  AddBenchTextsFlags(flags, "texts to score", settings);
  options.AddTo(flags, /*of_session=*/false);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(BenchScoreHelp(), flags, arguments, 0, others, console)) return *code;
  if (const auto code = settings.load.Check(console)) return *code;
  v1::ScoreRequest prototype;
  options.Fill(*prototype.mutable_options());
  return RunBenchTexts<v1::ScoreRequest>(
      settings, prototype, options.order == "all-context" ? "scores, all context" : "scores",
      [](v1::ScoreRequest& request, const std::string& text) { request.add_items()->set_text(text); },
      [](const v1::ScoreResponse& response) {
        AnswerCounts counts;
        for (const v1::TextScore& score : response.scores()) {
          ++counts.items;
          counts.target_tokens += score.tokens();
        }
        return counts;
      },
      console);
}

int BenchGenerateCommand(const std::vector<std::string>& arguments, Console& console) {
  BenchTextsSettings settings;
  GenerateFlags options;
  FlagTable flags;
  AddBenchTextsFlags(flags, "prompts", settings);
  options.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(BenchGenerateHelp(), flags, arguments, 0, others, console)) return *code;
  if (const auto code = settings.load.Check(console)) return *code;
  v1::GenerateRequest prototype;
  if (const absl::Status filled = options.Fill(*prototype.mutable_options()); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  return RunBenchTexts<v1::GenerateRequest>(
      settings, prototype, options.samples() ? "sampling" : "search",
      [](v1::GenerateRequest& request, const std::string& text) { request.set_prompt(text); },
      [](const v1::GenerateResponse& response) {
        AnswerCounts counts;
        for (const v1::GeneratedText& text : response.texts()) {
          ++counts.items;
          counts.target_tokens += text.token_count();
        }
        return counts;
      },
      console);
}

}  // namespace heed::client
