// SPDX-License-Identifier: Apache-2.0
// heed read: a text of any length, a piece at a time, through a model's memory.
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/mutex.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/line_run.h"
#include "client/language/score_summary.h"
#include "client/language/text_flags.h"
#include "client/language/text_json.h"
#include "client/language/text_pieces.h"
#include "client/lib/text_client.h"

namespace heed::client {
namespace {

struct ReadSettings {
  TextCommandFlags common;
  std::string session;
  bool keep = false;
  ScoreFlags options;
  bool parts = false;
  bool tokens = false;
  std::string file;  // empty or "-": standard input
};

CommandHelp ReadHelp() {
  return {
      "heed read [flags] [FILE]",
      "Reads FILE, or standard input, of any length through a language model's memory and prints one line: the\n"
      "text's log-probability (natural), its perplexity and the number of its tokens. The text travels in pieces,\n"
      "so that neither side holds it. A progress bar shows the perplexity as it develops.\n"
      "\n"
      "The memory is gone at the end, unless --session or --keep names a session that holds it.",
      "Exit codes:\n"
      "  0    the text was read\n"
      "  1    the server refused it\n"
      "  2    wrong flags, FILE cannot be read or is not UTF-8, no such model or session, several models to choose\n"
      "       from, or one that cannot score\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed read book.txt\n"
      "  heed read --parts --json book.txt | jq .perplexity      # as it develops\n"
      "  heed read --keep chapter.txt | tail -1                  # the session's id\n"
      "  heed read --session=ID next-chapter.txt\n"};
}

std::optional<int> ParseReadSettings(const std::vector<std::string>& arguments, Console& console,
                                     ReadSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.common.server.AddTo(flags, "Maximum time for the whole text. 0 means no limit.");
  settings.common.server.AddPriorityTo(flags);
  settings.common.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.common.model, "NAME",
                  "Name of the model. Defaults to the server's only language model.");
  flags.AddSection("Session");
  flags.AddString("session", &settings.session, "ID", "Id of a session that goes on with the text.");
  flags.AddBool("keep", &settings.keep, "Open a session, read the text into it, and print its id on a last line.");
  flags.AddSection("Output");
  flags.AddBool("parts", &settings.parts,
                "Print a line for each part of the text as it is read, before that of the whole.");
  flags.AddBool("tokens", &settings.tokens, "Add the tokens of each part. Needs --parts and --json.");
  flags.AddBool("json", &settings.common.json,
                "Print JSON objects: log_probability, tokens (their number), words, bytes, perplexity, bits_per_byte, "
                "unknown_words, unknown_tokens, bytes_read, tokens_read and session.");
  settings.options.AddTo(flags, /*with_order=*/false);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(ReadHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  if (settings.keep && !settings.session.empty())
    return Fail(console, kExitUsage, "--session and --keep exclude each other");
  if (!settings.session.empty() && (!settings.common.model.empty() || settings.common.server.model_version != 0)) {
    return Fail(console, kExitUsage, "--session excludes --model and --model_version: a session has its model");
  }
  if (settings.tokens && !(settings.parts && settings.common.json)) {
    return Fail(console, kExitUsage, "--tokens needs --parts and --json");
  }
  if (settings.options.top_k > 0 && !settings.tokens) return Fail(console, kExitUsage, "--top_k needs --tokens");
  if (settings.options.segment_tokens && !settings.session.empty()) {
    return Fail(console, kExitUsage, "--segment_tokens is the session's; give it to heed session open");
  }
  return std::nullopt;
}

// Prints what the server says to the text, and how far it is. The responses come on a thread of their own.
class ReadPrinter {
 public:
  ReadPrinter(const ReadSettings& settings, int64_t input_bytes, bool typed, Console& console)
      : settings_(settings),
        console_(console),
        bar_(console.err_is_terminal && !typed && !(settings.parts && console.out_is_terminal) ? &console.err : nullptr,
             console.columns, std::chrono::steady_clock::now()) {
    progress_.unit = "tokens";
    progress_.total_bytes = input_bytes;
  }

  void Take(const v1::ReadTextStreamResponse& response) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (response.has_session()) session_ = response.session();
    if (response.has_score()) {
      sum_.Add(response.score());
      log_probability_ += response.score().log_probability();
      scored_ += response.score().tokens();
      if (settings_.parts && response.score().tokens() > 0) PrintLine(response.score(), response);
    }
    if (response.has_total()) {
      bar_.Clear();
      total_ = response;
    }
    progress_.lines = response.tokens_read();
    progress_.bytes = response.bytes_read();
    if (scored_ > 0) {
      progress_.note = absl::StrFormat("perplexity %.2f", std::exp(-log_probability_ / static_cast<double>(scored_)));
    }
    if (!response.has_total()) bar_.Update(progress_, std::chrono::steady_clock::now());
  }

  // Behind the last response.
  void PrintTotal() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    bar_.Clear();
    if (!total_) return;
    // A person reads the sums, and a program the numbers.
    if (settings_.common.json || !console_.out_is_terminal) PrintLine(total_->total(), *total_);
    if (settings_.common.json) return;
    if (console_.out_is_terminal) {
      console_.out << VisibleLines(sum_.Text(0)) << std::endl;
    } else {
      Note(console_, sum_.Text(0));
    }
  }

  void Stop() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    bar_.Clear();
  }
  int64_t bytes_read() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return progress_.bytes;
  }
  bool complete() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return total_.has_value();
  }

 private:
  void PrintLine(const v1::TextScore& score, const v1::ReadTextStreamResponse& response) REQUIRES(mutex_) {
    if (settings_.common.json) {
      nlohmann::ordered_json json;
      AddScore(score, json);
      json["bytes_read"] = response.bytes_read();
      json["tokens_read"] = response.tokens_read();
      if (session_) json["session"] = TextSessionJson(*session_);
      console_.out << JsonText(json) << std::endl;
      return;
    }
    console_.out << absl::StrFormat("%.4f\t%.4f\t%d", score.log_probability(), score.perplexity(), score.tokens())
                 << std::endl;
  }

  const ReadSettings& settings_;
  Console& console_;
  mutable Mutex mutex_;
  Progress progress_ GUARDED_BY(mutex_);
  ProgressBar bar_ GUARDED_BY(mutex_);
  ScoreSummary sum_ GUARDED_BY(mutex_);
  double log_probability_ GUARDED_BY(mutex_) = 0;
  int64_t scored_ GUARDED_BY(mutex_) = 0;
  std::optional<v1::TextSession> session_ GUARDED_BY(mutex_);
  std::optional<v1::ReadTextStreamResponse> total_ GUARDED_BY(mutex_);
};

v1::ReadTextStreamRequest FirstMessage(const ReadSettings& settings, const std::string& model,
                                       const std::string& session) {
  v1::ReadTextStreamRequest first;
  if (session.empty()) {
    v1::OpenTextSessionRequest& open = *first.mutable_open();
    open.set_model(model);
    open.set_model_version(settings.common.server.model_version);
    if (settings.options.segment_tokens) open.set_segment_tokens(*settings.options.segment_tokens);
  } else {
    first.set_session(session);
  }
  settings.options.Fill(*first.mutable_options());
  first.mutable_options()->clear_segment_tokens();
  first.mutable_options()->set_return_tokens(settings.tokens);
  return first;
}

// Reads all of the input. Returns the exit code.
int ReadText(const ReadSettings& settings, const v1::ReadTextStreamRequest& first,
             const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console) {
  const TextClient client(channel, {.deadline = settings.common.server.deadline(), .stop = console.stop});
  ReadPrinter printer(settings, input.bytes(), input.typed(), console);
  TextPieces pieces(input.stream(), input.name());
  const grpc::Status status = client.ReadStream(
      first, [&](std::string& piece) { return console.out && pieces.Next(piece); },
      [&](const v1::ReadTextStreamResponse& response) { printer.Take(response); });
  printer.Stop();
  if (console.stop.stop_requested()) {
    return Fail(console, kExitInterrupted, absl::StrCat("interrupted after ", printer.bytes_read(), " bytes"));
  }
  // The pieces before it were read, and a session has them.
  if (!pieces.status().ok()) return Fail(console, kExitUsage, std::string(pieces.status().message()));
  if (!status.ok()) {
    if (printer.bytes_read() > 0) {
      Note(console, absl::StrCat("the text was read up to byte ", printer.bytes_read(), " of ", input.name()));
    }
    return FailTexts(console, settings.common.server, *channel, status);
  }
  if (!printer.complete()) return Fail(console, kExitFailed, "the server sent no total");
  printer.PrintTotal();
  return console.out ? kExitOk : FailOutput(console);
}

}  // namespace

int ReadCommand(const std::vector<std::string>& arguments, Console& console) {
  ReadSettings settings;
  if (const auto code = ParseReadSettings(arguments, console, settings)) return *code;
  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  std::string model;
  if (const auto code = ConnectToTextModel(settings.common, settings.session, channel, model, console)) return *code;

  std::string session = settings.session;
  if (settings.keep) {
    const TextClient client(channel, {.deadline = settings.common.server.deadline(), .stop = console.stop});
    v1::OpenTextSessionRequest request;
    request.set_model(model);
    request.set_model_version(settings.common.server.model_version);
    if (settings.options.segment_tokens) request.set_segment_tokens(*settings.options.segment_tokens);
    v1::TextSession opened;
    if (const grpc::Status status = client.Open(request, opened); !status.ok()) {
      return FailTexts(console, settings.common.server, *channel, status);
    }
    session = opened.name();
  }
  const int code = ReadText(settings, FirstMessage(settings, model, session), channel, input, console);
  if (settings.keep && !settings.common.json) console.out << VisibleLine(session) << std::endl;
  return code;
}

}  // namespace heed::client
