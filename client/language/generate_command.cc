// SPDX-License-Identifier: Apache-2.0
// heed generate: goes on from prompts, or from a session.
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/line_run.h"
#include "client/language/text_flags.h"
#include "client/language/text_json.h"
#include "client/language/token_view.h"
#include "client/lib/text_client.h"

namespace heed::client {
namespace {

struct GenerateSettings {
  TextCommandFlags common;
  TextSessionFlags session;
  GenerateFlags options;
  bool commit = false;
  std::optional<std::string> prompt;
  std::string input;  // empty or "-": standard input
  bool join = false;
  bool stream = false;
  bool echo = false;
  bool tokens = false;
  bool attention = false;
  // The prompt is one text of its own, whose answer may have many lines; otherwise each line is a prompt.
  bool one() const { return prompt || join; }
};

CommandHelp GenerateHelp() {
  return {
      "heed generate [flags] [PROMPT]",
      "Goes on from PROMPT with a language model, and prints what comes behind it: on a terminal as it grows.\n"
      "Without PROMPT each line of --input, or of standard input, is a prompt, and the command prints one line for\n"
      "each, in order (--stream: as it comes). With --session the text follows what the session has read; PROMPT\n"
      "may then be left out.",
      "Exit codes:\n"
      "  0    every prompt was continued\n"
      "  1    some prompts failed\n"
      "  2    wrong flags, the input cannot be read, no such model or session, several models to choose from, or\n"
      "       one that cannot generate\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed generate 'The history of the city begins in'\n"
      "  heed generate --temperature=0.8 --top_k=40 --seed=7 --max_tokens=200 'Once upon a time'\n"
      "  heed generate --json --n=4 --sample --input=prompts.txt | jq -r '.texts[].text'\n"
      "  heed generate --session=$(heed read --keep chapter.txt | tail -1) --max_tokens=100\n"};
}

// An exit code after a message, or none.
std::optional<int> CheckGenerateSettings(const GenerateSettings& settings, Console& console) {
  if (settings.prompt && (!settings.input.empty() || settings.join)) {
    return Fail(console, kExitUsage, "PROMPT excludes --input and --join");
  }
  if (settings.commit && settings.session.session.empty()) return Fail(console, kExitUsage, "--commit needs --session");
  if (settings.stream && (settings.common.json || settings.tokens || settings.attention || settings.commit)) {
    return Fail(console, kExitUsage, "--stream excludes --json, --tokens, --attention and --commit");
  }
  if (settings.stream && (settings.options.n.value_or(1) != 1 || settings.options.beam.value_or(1) != 1)) {
    return Fail(console, kExitUsage, "--stream needs --n=1 and --beam=1");
  }
  if (settings.options.alternatives > 0 && !settings.tokens) {
    return Fail(console, kExitUsage, "--alternatives needs --tokens");
  }
  return settings.session.Check(console);
}

std::optional<int> ParseGenerateSettings(const std::vector<std::string>& arguments, Console& console,
                                         GenerateSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "prompt");
  flags.AddSection("Input");
  flags.AddString("input", &settings.input, "FILE", "File of prompts, one a line. - is standard input, the default.");
  flags.AddBool("join", &settings.join, "The whole input is one prompt.");
  settings.session.AddTo(flags, "Id of a session. The text follows what it has read.");
  flags.AddBool("commit", &settings.commit,
                "Let the session go on behind the prompt and the text. Otherwise it does not change. Prompts are then "
                "continued one after the other.");
  flags.AddSection("Output");
  flags.AddBool("stream", &settings.stream,
                "Print a text as it grows, one prompt at a time: the default for one prompt on a terminal.");
  flags.AddBool("echo", &settings.echo, "Print the prompt before the text.");
  flags.AddBool("tokens", &settings.tokens,
                "Draw below each text how surprising each of its tokens was. With --json, add token_scores.");
  flags.AddInt("alternatives", &settings.options.alternatives, 0, 100,
               "Add the N likeliest tokens at the place of each token. Needs --tokens.");
  flags.AddBool(
      "attention", &settings.attention,
      "Draw below each text which tokens (columns) the last layer looked at for each token (row). With --json, "
      "add the weights.");
  flags.AddInt("n", &settings.options.n, 1, 32,
               "Texts to print for each prompt: draws, or with beam search the best. Defaults to 1.");
  flags.AddBool(
      "json", &settings.common.json,
      "Print a JSON object for each prompt: text, texts (each with text, finish_reason, log_probability, score "
      "and tokens), prompt_tokens, unknown_words and session; or error.");
  settings.options.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(GenerateHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.prompt = others[0];
  // A session needs no prompt.
  if (others.empty() && settings.input.empty() && !settings.join && !settings.session.session.empty()) {
    settings.prompt = "";
  }
  if (settings.commit) settings.common.in_flight = 1;
  return CheckGenerateSettings(settings, console);
}

// A terminal gets nothing that it would obey, anything else the exact bytes.
std::string Shown(const std::string& text, bool one_line, const Console& console) {
  const std::string line = one_line ? absl::StrReplaceAll(text, {{"\r\n", " "}, {"\n", " "}, {"\r", " "}}) : text;
  return console.out_is_terminal ? VisibleLines(line) : line;
}

// A name for a change, so that it is not made twice.
std::string RandomRequestId() {
  std::random_device random;
  std::string id = "heed-";
  for (int i = 0; i < 4; ++i) absl::StrAppendFormat(&id, "%08x", random());
  return id;
}

class GeneratePrinter {
 public:
  GeneratePrinter(const GenerateSettings& settings, Console& console)
      : settings_(settings), console_(console), tokens_(console) {}

  grpc::Status Print(int64_t number, const std::string& prompt, const v1::GenerateResponse& response) {
    if (response.texts_size() == 0) return grpc::Status(grpc::StatusCode::INTERNAL, "the server sent no text");
    if (settings_.common.json) {
      PrintJson(number, prompt, response);
      return grpc::Status::OK;
    }
    const bool one_line = !settings_.one() || response.texts_size() > 1;
    for (const v1::GeneratedText& text : response.texts()) {
      console_.out << Shown((settings_.echo ? prompt : "") + text.text(), one_line, console_) << "\n";
      if (settings_.tokens) console_.out << tokens_.Of(text.text(), text.tokens()) << "\n";
      if (settings_.attention) {
        console_.out << TextAttentionMap(text.attention(), text.tokens(), console_.columns) << "\n";
      }
    }
    Warn(response.unknown_words());
    return grpc::Status::OK;
  }

  void Warn(const google::protobuf::RepeatedPtrField<std::string>& unknown_words) {
    if (unknown_words.empty()) return;
    Note(console_, VisibleLine(absl::StrCat("the model does not know: ", absl::StrJoin(unknown_words, ", "))));
  }

 private:
  void PrintJson(int64_t number, const std::string& prompt, const v1::GenerateResponse& response) {
    using Json = nlohmann::ordered_json;
    Json json = {{"line", number}};
    if (settings_.echo) json["prompt"] = prompt;
    json["text"] = response.texts(0).text();
    for (const v1::GeneratedText& text : response.texts()) json["texts"].push_back(GeneratedTextJson(text));
    json["prompt_tokens"] = response.prompt_token_count();
    json["unknown_words"] = Json(response.unknown_words());
    if (response.has_session()) json["session"] = TextSessionJson(response.session());
    json["model"] = response.model();
    json["model_version"] = response.model_version();
    console_.out << JsonText(json) << "\n";
  }

  const GenerateSettings& settings_;
  Console& console_;
  TokenView tokens_;
};

// Prints texts as they come, one prompt at a time. Returns the exit code.
int GenerateStreaming(const GenerateSettings& settings, const v1::GenerateRequest& prototype,
                      const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console) {
  const TextClient client(channel, {.deadline = settings.common.server.deadline(), .stop = console.stop});
  LineReport report(settings.common, -1, /*typed=*/true, console);
  GeneratePrinter printer(settings, console);
  grpc::Status lost;
  std::string line;
  bool more = true;
  while (more && lost.ok() && console.out &&
         (settings.join ? ReadWhole(input.stream(), line) : ReadLine(input.stream(), line))) {
    more = !settings.join;
    v1::GenerateRequest request = prototype;
    request.set_prompt(line);
    std::string grown;
    v1::GenerateResponse result;
    const auto show = [&](const std::string& text) {
      console.out << Shown(text, !settings.one(), console) << std::flush;
    };
    if (settings.echo) show(line);
    grpc::Status status;
    if (const absl::Status checked = CheckLineText(line); !checked.ok()) {
      status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string(checked.message()));
    } else {
      status = client.GenerateStream(StreamRequestOf(request), [&](const v1::GenerateStreamResponse& event) {
        if (event.has_result()) result = event.result();
        grown += event.delta();
        if (!event.delta().empty()) show(event.delta());
        return static_cast<bool>(console.out);
      });
    }
    if (console.stop.stop_requested() || !console.out) {
      if (!grown.empty()) console.out << "\n" << std::flush;
      break;
    }
    if (!status.ok()) {
      if (FailsEveryLine(status)) {
        lost = status;
      } else {
        report.PrintFailure(status, static_cast<int64_t>(line.size()));
      }
      continue;
    }
    // What was not sent as it grew.
    const std::string whole = result.texts_size() > 0 ? result.texts(0).text() : "";
    if (whole.size() > grown.size()) show(whole.substr(grown.size()));
    console.out << "\n";
    report.Count(static_cast<int64_t>(line.size()));
    printer.Warn(result.unknown_words());
  }
  return report.End(input.stream(), *channel, lost);
}

// Returns the exit code.
int GenerateLines(const GenerateSettings& settings, const v1::GenerateRequest& prototype,
                  const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console) {
  GeneratePrinter printer(settings, console);
  LineWork<v1::GenerateRequest> work;
  work.command = "heed generate";
  work.join = settings.one();
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::GenerateRequest> {
    v1::GenerateRequest request = prototype;
    request.set_prompt(line);
    if (settings.commit) request.set_request_id(RandomRequestId());
    return request;
  };
  work.print = [&](int64_t number, const std::string& line, const v1::GenerateResponse& response) {
    return printer.Print(number, line, response);
  };
  return RunLines(settings.common, work, channel, input, console);
}

}  // namespace

int GenerateCommand(const std::vector<std::string>& arguments, Console& console) {
  GenerateSettings settings;
  if (const auto code = ParseGenerateSettings(arguments, console, settings)) return *code;
  v1::GenerateRequest prototype;
  v1::GenerateOptions& options = *prototype.mutable_options();
  if (const absl::Status filled = settings.options.Fill(options); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  options.set_return_tokens(settings.tokens || (settings.attention && !settings.common.json));
  options.set_return_attention(settings.attention);
  prototype.set_session(settings.session.session);
  prototype.set_commit(settings.commit);
  if (settings.session.expected_version) prototype.set_expected_version(*settings.session.expected_version);

  std::istringstream prompt(settings.prompt.value_or(""));
  Console of_prompt = WithInput(console, prompt);
  CommandInput input(settings.prompt ? of_prompt : console);
  if (const auto code = input.Open(settings.input)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code =
          ConnectToTextModel(settings.common, settings.session.session, channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);
  if (input.typed() && console.err_is_terminal) {
    console.err << "Going on from each line that you type; Ctrl-D ends." << std::endl;
  }
  const bool by_itself = console.out_is_terminal && (settings.one() || input.typed()) && !settings.common.json &&
                         !settings.tokens && !settings.attention && !settings.commit &&
                         settings.options.n.value_or(1) == 1 && settings.options.beam.value_or(1) == 1;
  if (!settings.stream && !by_itself) return GenerateLines(settings, prototype, channel, input, console);
  settings.join = settings.one();
  return GenerateStreaming(settings, prototype, channel, input, console);
}

}  // namespace heed::client
