// SPDX-License-Identifier: Apache-2.0
// heed chat: facts and questions as they are typed, over one stream.
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/file_bytes.h"
#include "client/cli/line_editor.h"
#include "client/commands/close_sessions.h"
#include "client/commands/story_file.h"
#include "client/lib/channel.h"
#include "client/lib/duration.h"
#include "client/lib/question_client.h"
#include "client/render/answer_text.h"

namespace heed::client {
namespace {

struct ChatSettings {
  ServerFlags server;
  std::string model;
  std::string session;
  std::string load;
  bool keep = false;
  bool no_history = false;
};

constexpr char kSentencesAndCommands[] =
    "  TEXT             a fact; a question if it ends with \"?\"\n"
    "  :fact TEXT       a fact, whatever it ends with\n"
    "  :question TEXT   a question, whatever it ends with\n"
    "  :why             the facts that the last answer came from, the strongest first\n"
    "  :reads           which slots of the memory the read heads looked at for it, step by step\n"
    "  :session         the session's id, version and number of facts\n"
    "  :fork            go on in a copy of the session, which stays as it is\n"
    "  :save FILE       write the session to FILE\n"
    "  :load FILE       go on in a new session from FILE\n"
    "  :help            this list\n"
    "  :quit            end, as the end of the input does\n";

CommandHelp ChatHelp() {
  return {
      "heed chat [--session=ID | --load=FILE] [flags]",
      absl::StrCat(
          "Holds a conversation. Reads one sentence a line, tells the model the facts, asks it the questions, and\n"
          "prints one line for each question: the answer. Words that the model does not know go to standard error.\n"
          "So does the reason why a sentence was refused, and the conversation goes on. (If the input is not a\n"
          "terminal, a refused question prints an empty line.) At the end the sessions that it opened are closed.\n"
          "\n"
          "On a terminal you can edit lines with the arrows and the keys of Emacs. Ctrl-R searches earlier lines,\n"
          "which are kept in $XDG_STATE_HOME/heed/chat_history (~/.local/state), except those that begin with a\n"
          "blank.\n"
          "\n"
          "Lines:\n",
          absl::StripSuffix(kSentencesAndCommands, "\n")),
      "Exit codes:\n"
      "  0    the conversation is over\n"
      "  1    a line was refused (by a script, not a person), or the server ended the conversation\n"
      "  2    wrong flags, --load cannot be read, no such model or session, or several models to choose from\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed chat\n"
      "  printf 'Mary went to the kitchen.\\nWhere is Mary?\\n' | heed chat\n"
      "  heed chat --keep < facts.txt | tail -1     # the session's id\n"
      "  heed chat --session=ID\n"};
}

std::optional<int> ParseChatSettings(const std::vector<std::string>& arguments, Console& console,
                                     ChatSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time to open, copy, save, load or close a session. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME",
                  "Name of the model. Defaults to the server's only question answerer.");
  flags.AddSection("Session");
  flags.AddString("session", &settings.session, "ID",
                  "Id of a session to continue. It stays open at the end. Defaults to a new session.");
  flags.AddString("load", &settings.load, "FILE", "File to load a new session from, as :save wrote it.");
  flags.AddBool("keep", &settings.keep, "Leave the sessions open at the end, and print the id of the last one.");
  flags.AddBool("no_history", &settings.no_history, "Do not save the lines that were typed.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(ChatHelp(), flags, arguments, 0, others, console)) return code;
  if (!settings.session.empty() && !settings.load.empty()) {
    return Fail(console, kExitUsage, "--session and --load exclude each other");
  }
  return std::nullopt;
}

std::string SessionText(const v1::QuestionSession& session) {
  std::string text = absl::StrCat("session ", session.name(), ", model ", session.model(), ", version ",
                                  session.version(), ", ", session.fact_count(), " facts");
  if (session.has_idle_limit()) {
    absl::StrAppend(&text, ", closed when not used for ", ToSeconds(session.idle_limit()), " s");
  }
  return text;
}

class Chat {
 public:
  Chat(const ChatSettings& settings, const std::shared_ptr<grpc::Channel>& channel, CommandInput& input,
       Console& console)
      : settings_(settings),
        channel_(channel),
        client_(channel, {.deadline = settings.server.deadline(), .stop = console.stop}),
        input_(input),
        console_(console) {}

  // The exit code.
  int Run(const std::string& model) {
    if (const auto code = Begin(model)) return *code;
    if (input_.typed() && console_.err_is_terminal) {
      console_.err << "Talking with " << VisibleLine(session_.model())
                   << ". :help lists what may be typed; Ctrl-D ends." << std::endl;
    }
    std::string line;
    std::optional<int> code;
    Prompt();
    while (!code && console_.out && ReadLine(input_.stream(), line)) {
      ++lines_;
      code = Take(line);
      if (!code) Prompt();
    }
    if (code && *code != kExitOk) return *code;
    return End();
  }

 private:
  // Opens the session that the settings want. An exit code after a message, or none.
  std::optional<int> Begin(const std::string& model) {
    v1::QuestionSession session;
    grpc::Status status;
    if (!settings_.load.empty()) {
      v1::ImportSessionRequest request;
      request.set_model(settings_.model);
      if (!ReadFileBytes(settings_.load, *request.mutable_data())) {
        return Fail(console_, kExitUsage, absl::StrCat("cannot read '", settings_.load, "': ", std::strerror(errno)));
      }
      status = client_.Import(request, session);
    } else if (!settings_.session.empty()) {
      session.set_name(settings_.session);
    } else {
      status = client_.Open(model, session, settings_.server.model_version);
    }
    if (status.ok() && settings_.session.empty()) opened_.push_back(session.name());
    if (status.ok()) status = GoOnIn(session);
    if (status.ok() && !settings_.model.empty() && session_.model() != settings_.model) {
      return Fail(console_, kExitUsage,
                  absl::StrCat("session ", session_.name(), " is of model '", session_.model(), "', not of '",
                               settings_.model, "'"));
    }
    if (status.ok()) return std::nullopt;
    CloseSessions(channel_, opened_, console_);
    const bool of_file = status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
                         status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
    if (!settings_.load.empty() && of_file) {
      return Fail(console_, kExitUsage, absl::StrCat("'", settings_.load, "': ", StatusText(status)));
    }
    if (!settings_.session.empty() && status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return Fail(console_, kExitUsage, absl::StrCat("session ", settings_.session, ": ", StatusText(status)));
    }
    return FailCall(console_, settings_.server, *channel_, status);
  }

  // Leaves the session of now for another.
  grpc::Status GoOnIn(const v1::QuestionSession& session) {
    if (conversation_) conversation_->Finish();
    conversation_.emplace(channel_, console_.stop);
    session_ = session;
    v1::ChatRequest first;
    first.set_session(session.name());
    v1::ChatResponse reply;
    const grpc::Status status = conversation_->Say(first, reply);
    if (status.ok()) session_ = reply.session();
    return status;
  }

  // The editor writes its own.
  void Prompt() {
    if (input_.typed() && console_.err_is_terminal && console_.editor == nullptr) console_.err << "> " << std::flush;
  }

  // An exit code: the conversation is over.
  std::optional<int> Take(const std::string& line) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty()) return std::nullopt;
    if (const absl::Status status = CheckNotCompressed(line, input_.name(), "heed chat"); lines_ == 1 && !status.ok()) {
      return Fail(console_, kExitUsage, std::string(status.message()));
    }
    if (const auto invalid = FirstInvalidUtf8(line)) {
      Refuse(absl::StrCat("not UTF-8 at byte ", *invalid + 1));
      return std::nullopt;
    }
    const std::pair<absl::string_view, absl::string_view> words =
        absl::StrSplit(text, absl::MaxSplits(absl::ByAnyChar(" \t"), 1));
    if (!absl::StartsWith(text, ":") || words.first == ":fact" || words.first == ":question") {
      return Say(ParseSentence(line));
    }
    return Obey(std::string(words.first), std::string(absl::StripAsciiWhitespace(words.second)));
  }

  std::optional<int> Say(const StorySentence& sentence) {
    v1::ChatRequest message;
    if (sentence.question) {
      message.set_question(sentence.text);
      message.mutable_options()->set_return_attribution(true);
      message.mutable_options()->set_return_reads(true);
    } else {
      message.set_fact(sentence.text);
    }
    v1::ChatResponse reply;
    if (const grpc::Status status = conversation_->Say(message, reply); !status.ok()) return Lose(status);
    session_ = reply.session();
    if (reply.has_refusal()) {
      Refuse(
          StatusText(grpc::Status(static_cast<grpc::StatusCode>(reply.refusal().code()), reply.refusal().message())));
      if (sentence.question && !input_.typed()) console_.out << std::endl;
    } else if (reply.has_answer()) {
      answer_ = reply.answer();
      Warn(answer_->unknown_words());
      console_.out << AnswerLine(*answer_, {}) << std::endl;
    } else {
      Warn(reply.told().unknown_words());
    }
    return std::nullopt;
  }

  std::optional<int> Obey(const std::string& command, const std::string& argument) {
    const bool file = command == ":save" || command == ":load";
    if (file && argument.empty()) {
      Refuse(absl::StrCat(command, " needs a FILE"));
    } else if (!file && !argument.empty()) {
      Refuse(absl::StrCat(command, " takes nothing behind it, got '", argument, "'"));
    } else if (command == ":quit") {
      return kExitOk;
    } else if (command == ":help") {
      console_.out << kSentencesAndCommands << std::flush;
    } else if (command == ":why" || command == ":reads") {
      Explain(command == ":why" ? FactBars : ReadsMap);
    } else if (command == ":session") {
      console_.out << VisibleLine(SessionText(session_)) << std::endl;
    } else if (command == ":fork") {
      return Fork();
    } else if (command == ":save") {
      return Save(argument);
    } else if (command == ":load") {
      return Load(argument);
    } else {
      Refuse(
          absl::StrCat("unknown command '", command, "'; :help lists them, `:fact ", command, "` tells it as a fact"));
    }
    return std::nullopt;
  }

  void Explain(std::string (*explanation)(const v1::QuestionAnswer& answer, int width)) {
    if (answer_) {
      console_.out << explanation(*answer_, console_.columns) << std::flush;
    } else {
      Refuse("there is no answer yet");
    }
  }

  std::optional<int> Fork() {
    v1::QuestionSession copy;
    const grpc::Status status = client_.Fork(session_.name(), copy);
    if (!status.ok()) return LoseOrRefuse(status);
    return Switch(copy, absl::StrCat("now in session ", copy.name(), "; session ", session_.name(), " stays as it is"));
  }

  std::optional<int> Save(const std::string& path) {
    v1::ExportSessionResponse exported;
    const grpc::Status status = client_.Export(session_.name(), exported);
    if (!status.ok()) return LoseOrRefuse(status);
    if (WriteFileBytes(path, exported.data())) {
      Note(console_, absl::StrCat("wrote ", exported.data().size(), " bytes to '", path, "'"));
    } else {
      Refuse(absl::StrCat("cannot write '", path, "': ", std::strerror(errno)));
    }
    return std::nullopt;
  }

  std::optional<int> Load(const std::string& path) {
    v1::ImportSessionRequest request;
    if (!ReadFileBytes(path, *request.mutable_data())) {
      Refuse(absl::StrCat("cannot read '", path, "': ", std::strerror(errno)));
      return std::nullopt;
    }
    v1::QuestionSession session;
    const grpc::Status status = client_.Import(request, session);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {  // of its model, not of the session of now
      Refuse(StatusText(status));
      return std::nullopt;
    }
    if (!status.ok()) return LoseOrRefuse(status);
    answer_.reset();  // it was about another memory
    return Switch(session, absl::StrCat("now in session ", session.name(), ", ", session.fact_count(), " facts"));
  }

  std::optional<int> Switch(const v1::QuestionSession& session, const std::string& notice) {
    opened_.push_back(session.name());
    if (const grpc::Status status = GoOnIn(session); !status.ok()) return Lose(status);
    Note(console_, notice);
    return std::nullopt;
  }

  // Says why a line came to nothing.
  void Refuse(const std::string& why) {
    refused_ = true;
    Note(console_, absl::StrCat(input_.typed() ? "" : absl::StrCat("line ", lines_, ": "), why));
  }

  void Warn(const google::protobuf::RepeatedPtrField<std::string>& unknown_words) {
    if (unknown_words.empty()) return;
    Note(console_, VisibleLine(absl::StrCat("the model does not know: ", absl::StrJoin(unknown_words, ", "))));
  }

  // Of a call beside the conversation.
  std::optional<int> LoseOrRefuse(const grpc::Status& status) {
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE || status.error_code() == grpc::StatusCode::NOT_FOUND ||
        console_.stop.stop_requested()) {
      return Lose(status);
    }
    Refuse(StatusText(status));
    return std::nullopt;
  }

  // The conversation ended before the user wished it to. Its sessions are left, if the server still has them.
  std::optional<int> Lose(const grpc::Status& status) {
    if (console_.stop.stop_requested()) return kExitOk;  // End() tells
    const std::string session = session_.name();
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return Fail(console_, kExitFailed, absl::StrCat("the session ", session, " is gone (", StatusText(status), ")"));
    }
    const std::string way_on = absl::StrCat("heed chat --session=", session, " goes on");
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      return Fail(console_, kExitUnavailable,
                  absl::StrCat("the server at ", settings_.server.address, " went away (", StatusText(status),
                               "); if it kept the session, ", way_on));
    }
    return Fail(console_, kExitFailed,
                absl::StrCat("the server ended the conversation (", StatusText(status), "); ", way_on));
  }

  // The user ended it. The exit code.
  int End() {
    if (input_.typed() && console_.err_is_terminal) console_.err << std::endl;
    const bool interrupted = console_.stop.stop_requested();
    if (!interrupted) conversation_->Finish();
    conversation_.reset();
    if (settings_.keep) {
      console_.out << VisibleLine(session_.name()) << std::endl;
    } else {
      CloseSessions(channel_, opened_, console_);
    }
    if (interrupted) return Fail(console_, kExitInterrupted, "interrupted");
    if (!console_.out) return FailOutput(console_);
    if (input_.stream().bad()) {
      return Fail(console_, kExitUsage, absl::StrCat("cannot read the input after line ", lines_));
    }
    return refused_ && !input_.typed() ? kExitFailed : kExitOk;
  }

  const ChatSettings& settings_;
  const std::shared_ptr<grpc::Channel> channel_;
  const QuestionClient client_;
  CommandInput& input_;
  Console& console_;
  std::optional<Conversation> conversation_;
  v1::QuestionSession session_;      // as it is now
  std::vector<std::string> opened_;  // sessions to close
  std::optional<v1::QuestionAnswer> answer_;
  int64_t lines_ = 0;
  bool refused_ = false;
};

}  // namespace

int ChatCommand(const std::vector<std::string>& arguments, Console& console) {
  ChatSettings settings;
  if (const auto code = ParseChatSettings(arguments, console, settings)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  std::string model;
  if (settings.session.empty() && settings.load.empty()) {
    if (const auto code = ResolveModel(channel, settings.server, kQuestionAnswerer, settings.model, model, console)) {
      return *code;
    }
  }
  if (console.editor != nullptr) {
    console.editor->SetPrompt("> ");
    if (!settings.no_history) console.editor->KeepHistory(HistoryPath("chat_history"));
  }
  CommandInput input(console);
  return Chat(settings, channel, input, console).Run(model);
}

}  // namespace heed::client
