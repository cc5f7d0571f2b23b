// SPDX-License-Identifier: Apache-2.0
// heed languages and heed detect: what a server translates between, and what texts are written in.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/lib/translation_client.h"
#include "client/render/shortest_number.h"
#include "client/render/text_table.h"

namespace heed::client {
namespace {

// Maximum texts in one request. The server takes 1,000.
constexpr int kMaxTexts = 1000;
constexpr int64_t kMaxBytes = 1 << 20;

CommandHelp LanguagesHelp() {
  return {"heed languages [flags]",
          "Lists the languages that the server translates from and to, and the pairs: each with the model that serves\n"
          "it, or the two models that do so one after the other.",
          "Exit codes:\n"
          "  0    the list is printed\n"
          "  2    wrong flags\n"
          "  3    no server\n"
          "  130  interrupted\n"
          "\n"
          "Examples:\n"
          "  heed languages\n"
          "  heed languages --json | jq -r '.pairs[] | select(.models | length == 1) | .target_language'\n"};
}

CommandHelp DetectHelp() {
  return {
      "heed detect [flags] [TEXT|FILE]",
      "Guesses which language each line of FILE, or of standard input, is written in, or TEXT, if there is no such\n"
      "file. Prints the likeliest language and how sure that is, from 0 to 1; or \"-\" for a line without words.",
      "Exit codes:\n"
      "  0    done\n"
      "  1    the server refused it\n"
      "  2    wrong flags or languages, or FILE cannot be read\n"
      "  3    no server\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed detect 'Guten Morgen'\n"
      "  heed detect --languages=de,nl,af words.txt\n"
      "  heed detect --json --whole letter.txt | jq '.guesses[0]'\n"};
}

std::string LanguageTables(const v1::ListLanguagesResponse& list) {
  std::vector<std::vector<std::string>> languages = {{"LANGUAGE", "NAME", "OWN NAME"}};
  for (const v1::Language& one : list.languages()) {
    languages.push_back({one.language(), one.name(), one.native_name()});
  }
  std::vector<std::vector<std::string>> pairs = {{"FROM", "TO", "MODELS"}};
  for (const v1::LanguagePair& pair : list.pairs()) {
    pairs.push_back({pair.source_language(), pair.target_language(), absl::StrJoin(pair.models(), " > ")});
  }
  return absl::StrCat(TextTable(std::move(languages), {}), "\n", TextTable(std::move(pairs), {}));
}

std::string LanguagesJson(const v1::ListLanguagesResponse& list) {
  nlohmann::ordered_json languages = nlohmann::ordered_json::array();
  for (const v1::Language& one : list.languages()) {
    languages.push_back({{"language", one.language()}, {"name", one.name()}, {"native_name", one.native_name()}});
  }
  nlohmann::ordered_json pairs = nlohmann::ordered_json::array();
  for (const v1::LanguagePair& pair : list.pairs()) {
    pairs.push_back({{"source_language", pair.source_language()},
                     {"target_language", pair.target_language()},
                     {"models", nlohmann::ordered_json(pair.models())}});
  }
  return JsonText({{"languages", std::move(languages)}, {"pairs", std::move(pairs)}}, 2) + "\n";
}

std::string DetectedLine(const v1::DetectedLanguages& detected) {
  if (detected.guesses_size() == 0) return "-\n";
  return absl::StrFormat("%s %.3f\n", VisibleLine(detected.guesses(0).language()), detected.guesses(0).confidence());
}

std::string DetectedJson(int64_t line, const v1::DetectedLanguages& detected) {
  nlohmann::ordered_json guesses = nlohmann::ordered_json::array();
  for (const v1::LanguageGuess& guess : detected.guesses()) {
    guesses.push_back({{"language", guess.language()}, {"confidence", ShortestNumber(guess.confidence())}});
  }
  return JsonText({{"line", line}, {"guesses", std::move(guesses)}}) + "\n";
}

struct DetectSettings {
  ServerFlags server{.deadline_seconds = 60};
  std::string languages;
  bool json = false;
  bool whole = false;
};

// Asks for the languages of texts as they come, many at a time.
class DetectRun {
 public:
  DetectRun(const DetectSettings& settings, const std::shared_ptr<grpc::Channel>& channel, Console& console)
      : settings_(settings),
        channel_(channel),
        client_(channel, {.deadline = settings.server.deadline(), .stop = console.stop}),
        console_(console) {
    for (absl::string_view language : absl::StrSplit(settings.languages, ',', absl::SkipWhitespace())) {
      request_.add_languages(std::string(language));
    }
  }

  // False: the run is over, with code().
  bool Add(std::string text) {
    bytes_ += static_cast<int64_t>(text.size());
    request_.add_texts(std::move(text));
    return (request_.texts_size() < kMaxTexts && bytes_ < kMaxBytes) || Send();
  }
  bool Send() {
    if (request_.texts_size() == 0) return true;
    v1::DetectLanguageResponse response;
    const grpc::Status status = client_.DetectLanguage(request_, response);
    if (!status.ok()) {
      code_ = FailCall(console_, settings_.server, *channel_, status);
      return false;
    }
    for (const v1::DetectedLanguages& detected : response.texts()) {
      ++lines_;
      console_.out << (settings_.json ? DetectedJson(lines_, detected) : DetectedLine(detected));
    }
    console_.out << std::flush;
    request_.clear_texts();
    bytes_ = 0;
    if (!console_.out) code_ = FailOutput(console_);
    return console_.out.good();
  }
  int code() const { return code_; }

 private:
  const DetectSettings& settings_;
  const std::shared_ptr<grpc::Channel> channel_;
  const TranslationClient client_;
  Console& console_;
  v1::DetectLanguageRequest request_;
  int64_t bytes_ = 0;  // of its texts
  int64_t lines_ = 0;  // that are answered
  int code_ = kExitOk;
};

int DetectFile(const std::string& file, const DetectSettings& settings, DetectRun& run, Console& console) {
  CommandInput input(console);
  if (const auto code = input.Open(file)) return *code;
  std::string line, text;
  int64_t number = 0;
  while (ReadLine(input.stream(), line)) {
    if (const absl::Status status = CheckText(line, ++number, input.name(), "heed detect"); !status.ok()) {
      return Fail(console, kExitUsage, std::string(status.message()));
    }
    if (settings.whole) {
      absl::StrAppend(&text, line, "\n");
    } else if (!run.Add(line) || (input.typed() && !run.Send())) {
      return run.code();
    }
  }
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  if (input.stream().bad()) return Fail(console, kExitUsage, absl::StrCat("cannot read ", VisibleLine(input.name())));
  if (settings.whole && !run.Add(std::move(text))) return run.code();
  run.Send();
  return run.code();
}

}  // namespace

int LanguagesCommand(const std::vector<std::string>& arguments, Console& console) {
  ServerFlags server{.deadline_seconds = 10};
  bool json = false;
  FlagTable flags;
  server.AddTo(flags, "Maximum time to wait for the answer. 0 means no limit.");
  flags.AddBool("json", &json, "Print a JSON object: languages and pairs.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(LanguagesHelp(), flags, arguments, 0, others, console)) return *code;

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const TranslationClient client(channel, {.deadline = server.deadline(), .stop = console.stop});
  v1::ListLanguagesResponse list;
  const grpc::Status status = client.ListLanguages(list);
  if (!status.ok()) return FailCall(console, server, *channel, status);
  if (!json && list.languages_size() == 0) return Fail(console, kExitOk, "the server translates between no languages");
  console.out << (json ? LanguagesJson(list) : LanguageTables(list)) << std::flush;
  return kExitOk;
}

int DetectCommand(const std::vector<std::string>& arguments, Console& console) {
  DetectSettings settings;
  FlagTable flags;
  settings.server.AddTo(flags, "Maximum time to wait for an answer. 0 means no limit.");
  flags.AddString("languages", &settings.languages, "LIST",
                  "Languages to choose from, between commas. Defaults to those that the server translates between.");
  flags.AddBool("whole", &settings.whole, "The whole input is one text.");
  flags.AddBool("json", &settings.json, "Print a JSON object for each line, with all guesses.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(DetectHelp(), flags, arguments, 1, others, console)) return *code;

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  DetectRun run(settings, channel, console);
  const std::string given = others.empty() ? "-" : others[0];
  std::error_code error;
  if (given == "-" || std::filesystem::exists(given, error)) return DetectFile(given, settings, run, console);
  if (run.Add(given)) run.Send();
  return run.code();
}

}  // namespace heed::client
