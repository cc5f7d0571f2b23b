// SPDX-License-Identifier: Apache-2.0
// heed session: what a session of a language model is opened, copied, kept and closed with.
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/file_bytes.h"
#include "client/language/line_run.h"
#include "client/language/text_flags.h"
#include "client/language/text_json.h"
#include "client/lib/duration.h"
#include "client/lib/text_client.h"

namespace heed::client {
namespace {

constexpr char kSessionCodes[] =
    "Exit codes:\n"
    "  0    done\n"
    "  1    the server refused it\n"
    "  2    wrong arguments, a file that cannot be read or written, no such model or session, or several models to\n"
    "       choose from\n"
    "  3    no server, or no model that serves\n"
    "  130  interrupted\n";

constexpr char kDeadlineHelp[] = "Maximum time to wait for the answer. 0 means no limit.";

CommandHelp SessionHelp(const std::string& synopsis, const std::string& description, const std::string& examples) {
  return {absl::StrCat("heed session ", synopsis, " [flags]"), description,
          absl::StrCat(kSessionCodes, "\nExamples:\n", examples)};
}

// "SESSION  model M, version 3, 120 tokens read, 64 in memory (1.2 MiB), closed when not used for 600 s"
std::string SessionLine(const v1::TextSession& session) {
  std::string text = absl::StrCat(session.name(), "\tmodel ", session.model(), ", version ", session.version(), ", ",
                                  session.tokens_read(), " tokens read, ", session.memory_tokens(), " in memory");
  if (session.has_idle_limit()) {
    absl::StrAppend(&text, ", closed when not used for ", ToSeconds(session.idle_limit()), " s");
  }
  return text;
}

// Only the id goes to standard output, for scripts. The rest is for people.
void PrintSession(const v1::TextSession& session, bool json, Console& console) {
  if (json) {
    console.out << JsonText(TextSessionJson(session)) << std::endl;
    return;
  }
  console.out << VisibleLine(session.name()) << std::endl;
  if (console.err_is_terminal) Note(console, VisibleLine(SessionLine(session)));
}

// What one of the commands is called with.
struct SessionCall {
  TextCommandFlags common;
  std::optional<int> segment_tokens;
  std::vector<std::string> others;
  std::shared_ptr<grpc::Channel> channel;

  TextClient client(const Console& console) const {
    return TextClient(channel, {.deadline = common.server.deadline(), .stop = console.stop});
  }
};

// Parses the arguments, of which `names` are needed, and connects. An exit code after a message, or none.
std::optional<int> BeginSessionCall(const CommandHelp& help, FlagTable& flags, const std::vector<std::string>& names,
                                    const std::vector<std::string>& arguments, SessionCall& call, Console& console) {
  call.common.server.deadline_seconds = 60;
  call.common.server.AddTo(flags, kDeadlineHelp);
  if (const auto code = ParseCommand(help, flags, arguments, names.size(), call.others, console)) return code;
  if (call.others.size() < names.size()) {
    return Fail(console, kExitUsage, absl::StrCat("needs ", names[call.others.size()], "; see ", help.synopsis));
  }
  return std::nullopt;
}

}  // namespace

int SessionOpenCommand(const std::vector<std::string>& arguments, Console& console) {
  SessionCall call;
  FlagTable flags;
  call.common.server.AddModelVersionTo(flags);
  flags.AddString("model", &call.common.model, "NAME",
                  "Name of the model. Defaults to the server's only language model.");
  flags.AddInt("segment_tokens", &call.segment_tokens, 1, kMaxSegmentTokens,
               "Tokens after which the memory moves on, for a Transformer-XL with same_length false. Defaults to the "
               "model's.");
  flags.AddBool("json", &call.common.json,
                "Print a JSON object: session, model, version, tokens_read, memory_tokens and "
                "memory_bytes.");
  const CommandHelp help = SessionHelp(
      "open",
      "Opens a session of a language model and prints its id. Whoever has the id may use the session: keep it like a\n"
      "password. `heed read`, `heed score` and `heed generate` take it as --session.",
      "  id=$(heed session open --model=wiki)\n"
      "  heed read --session=$id chapter.txt\n"
      "  heed generate --session=$id --max_tokens=100\n"
      "  heed session close $id\n");
  if (const auto code = BeginSessionCall(help, flags, {}, arguments, call, console)) return *code;
  v1::OpenTextSessionRequest request;
  if (const auto code = ConnectToTextModel(call.common, "", call.channel, *request.mutable_model(), console)) {
    return *code;
  }
  request.set_model_version(call.common.server.model_version);
  if (call.segment_tokens) request.set_segment_tokens(*call.segment_tokens);
  v1::TextSession session;
  const grpc::Status status = call.client(console).Open(request, session);
  if (!status.ok()) return FailTexts(console, call.common.server, *call.channel, status);
  PrintSession(session, call.common.json, console);
  return kExitOk;
}

int SessionForkCommand(const std::vector<std::string>& arguments, Console& console) {
  SessionCall call;
  FlagTable flags;
  flags.AddBool("json", &call.common.json, "Print a JSON object.");
  const CommandHelp help =
      SessionHelp("fork ID", "Opens a new session with the memory of session ID, and prints its id.",
                  "  copy=$(heed session fork $id)\n");
  if (const auto code = BeginSessionCall(help, flags, {"ID"}, arguments, call, console)) return *code;
  if (const auto code = Connect(call.common.server, call.channel, console)) return *code;
  v1::TextSession session;
  const grpc::Status status = call.client(console).Fork(call.others[0], session);
  if (!status.ok()) return FailTexts(console, call.common.server, *call.channel, status);
  PrintSession(session, call.common.json, console);
  return kExitOk;
}

int SessionExportCommand(const std::vector<std::string>& arguments, Console& console) {
  SessionCall call;
  FlagTable flags;
  const CommandHelp help =
      SessionHelp("export ID FILE",
                  "Writes session ID to FILE, for `heed session import` here or on another server\n"
                  "that serves the same weights. The session stays open.",
                  "  heed session export $id chapter-1.session\n");
  if (const auto code = BeginSessionCall(help, flags, {"ID", "FILE"}, arguments, call, console)) return *code;
  if (const auto code = Connect(call.common.server, call.channel, console)) return *code;
  v1::ExportTextSessionResponse exported;
  const grpc::Status status = call.client(console).Export(call.others[0], exported);
  if (!status.ok()) return FailTexts(console, call.common.server, *call.channel, status);
  const std::string& path = call.others[1];
  if (!WriteFileBytes(path, exported.data())) {
    return Fail(console, kExitUsage, absl::StrCat("cannot write '", path, "': ", std::strerror(errno)));
  }
  Note(console, absl::StrCat("wrote ", exported.data().size(), " bytes to '", path, "'"));
  return kExitOk;
}

int SessionImportCommand(const std::vector<std::string>& arguments, Console& console) {
  SessionCall call;
  FlagTable flags;
  flags.AddString("model", &call.common.model, "NAME", "Name of the model. Defaults to the one that the file names.");
  flags.AddBool("json", &call.common.json, "Print a JSON object.");
  const CommandHelp help =
      SessionHelp("import FILE", "Opens a session from FILE, as `heed session export` wrote it, and prints its id.",
                  "  id=$(heed session import chapter-1.session)\n");
  if (const auto code = BeginSessionCall(help, flags, {"FILE"}, arguments, call, console)) return *code;
  v1::ImportTextSessionRequest request;
  request.set_model(call.common.model);
  const std::string& path = call.others[0];
  if (!ReadFileBytes(path, *request.mutable_data())) {
    return Fail(console, kExitUsage, absl::StrCat("cannot read '", path, "': ", std::strerror(errno)));
  }
  if (const auto code = Connect(call.common.server, call.channel, console)) return *code;
  v1::TextSession session;
  const grpc::Status status = call.client(console).Import(request, session);
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    return Fail(console, kExitFailed,
                absl::StrCat(StatusText(status), "\n'", path, "' has ", request.data().size(),
                             " bytes; heed-server --max_message_bytes=N takes larger ones"));
  }
  if (!status.ok()) return FailTexts(console, call.common.server, *call.channel, status);
  PrintSession(session, call.common.json, console);
  return kExitOk;
}

int SessionCloseCommand(const std::vector<std::string>& arguments, Console& console) {
  SessionCall call;
  FlagTable flags;
  const CommandHelp help =
      SessionHelp("close ID", "Closes session ID. Its memory is lost.", "  heed session close $id\n");
  if (const auto code = BeginSessionCall(help, flags, {"ID"}, arguments, call, console)) return *code;
  if (const auto code = Connect(call.common.server, call.channel, console)) return *code;
  const grpc::Status status = call.client(console).Close(call.others[0]);
  if (!status.ok()) return FailTexts(console, call.common.server, *call.channel, status);
  return kExitOk;
}

}  // namespace heed::client
