// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/commands/translate_document.h"
#include "client/commands/translate_lines.h"
#include "client/commands/translate_settings.h"

namespace heed::client {
namespace {

CommandHelp TranslateHelp() {
  return {
      "heed translate [flags] [FILE]",
      "Translates each line of FILE, or of standard input, and prints one line for each, in order.\n"
      "It sends many lines at a time, and sends a line again if the server has no room for it.\n"
      "For a line that fails it prints an empty line; the number and the error go to standard error.\n"
      "\n"
      "Of a document (subtitles, HTML, XML, Markdown, po, JSON) it translates the texts, and keeps everything else\n"
      "to the byte. A text that fails stays as it is.",
      "Exit codes:\n"
      "  0    every line or text was translated\n"
      "  1    some lines or texts failed\n"
      "  2    wrong flags, FILE cannot be read or is broken, no such model or way between languages, or several\n"
      "       models to choose from\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  echo 'Where is the station?' | heed translate\n"
      "  heed translate --beam=4 news.en > news.de\n"
      "  heed translate --from=auto --to=fr mixed.txt\n"
      "  heed translate --output=film.de.srt film.srt     # again, if it was interrupted: it goes on\n"
      "  heed translate --format=markdown < README.md > README.de.md\n"
      "  heed translate --skip_keys=id,**.url en.json > de.json\n"
      "  echo 'Two dogs play in the snow.' | heed translate --attention\n"
      "  heed translate --json --n_best=4 --beam=4 news.en | jq -r .score\n"
      "  heed translate --stream     # type, and watch the words come\n"};
}

std::optional<int> ParseTranslateSettings(const std::vector<std::string>& arguments, Console& console,
                                          TranslateSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a line or text, with all its retries. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME",
                  "Name of the model. Defaults to what --from and --to choose, or to the server's only translator.");
  settings.options.AddLanguagesTo(flags);
  flags.AddInt("in_flight", &settings.in_flight, 1, 100000, "Maximum lines or texts in progress at a time.");
  flags.AddSection("Output");
  flags.AddBool("stream", &settings.stream,
                "Print the words of a line as they come (greedy search), or its sentences (beam search). Translates "
                "one line at a time.");
  flags.AddBool("attention", &settings.attention,
                "Draw below each line which source tokens (columns) each target token (row) attends to.");
  flags.AddBool("json", &settings.json,
                "Print a JSON object for each line: text, score, finish_reason, source_tokens, target_tokens and "
                "sentences (each with source and text), or error.");
  flags.AddBool("tokens", &settings.tokens, "Add the tokens. Needs --json.");
  flags.AddInt("n_best", &settings.options.n_best, 1, 32,
               "Add the N best hypotheses of each sentence, at most the beam size. Needs --json.");
  settings.document.AddTo(flags);
  settings.options.AddTo(flags);

  std::vector<std::string> others;
  if (const auto code = ParseCommand(TranslateHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  if (!settings.json && (settings.tokens || settings.options.n_best)) {
    return Fail(console, kExitUsage, "--tokens and --n_best need --json");
  }
  if (settings.json && settings.stream) return Fail(console, kExitUsage, "--stream and --json exclude each other");
  if (settings.model.empty() && settings.options.has_languages() && settings.server.model_version != 0) {
    return Fail(console, kExitUsage, "--model_version needs --model");
  }
  // What is about lines means lines, whatever the file's name says.
  const bool about_lines = settings.stream || settings.attention || settings.json;
  if (about_lines && settings.document.format.empty()) settings.document.format = "lines";
  const DocumentFormat format = settings.document.Format(settings.file);
  if (about_lines && format != DocumentFormat::kLines) {
    return Fail(console, kExitUsage,
                absl::StrCat("--stream, --attention and --json need --format=lines, not ", settings.document.format));
  }
  DocumentOptions options;
  if (const absl::Status checked = settings.document.Fill(format, options); !checked.ok()) {
    return Fail(console, kExitUsage, std::string(checked.message()));
  }
  return std::nullopt;
}

}  // namespace

int TranslateCommand(const std::vector<std::string>& arguments, Console& console) {
  TranslateSettings settings;
  if (const auto code = ParseTranslateSettings(arguments, console, settings)) return *code;
  v1::TranslateRequest prototype;
  if (const absl::Status filled = settings.options.Fill(*prototype.mutable_options()); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  prototype.mutable_options()->set_return_attention(settings.attention);
  prototype.mutable_options()->set_return_tokens(settings.tokens || settings.attention);
  prototype.mutable_options()->set_return_sentences(settings.json);
  prototype.mutable_options()->set_return_scores(settings.json);

  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  prototype.set_source_language(settings.options.from);
  prototype.set_target_language(settings.options.to);
  if (!settings.model.empty() || !settings.options.has_languages()) {  // else the server chooses
    if (const auto code =
            ResolveModel(channel, settings.server, "translator", settings.model, *prototype.mutable_model(), console)) {
      return *code;
    }
  }
  prototype.set_model_version(settings.server.model_version);
  const DocumentFormat format = settings.document.Format(settings.file);
  if (format == DocumentFormat::kLines) return TranslateLines(settings, prototype, channel, input, console);
  return TranslateDocument(settings, prototype, format, channel, input, console);
}

}  // namespace heed::client
