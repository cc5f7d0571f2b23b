// SPDX-License-Identifier: Apache-2.0
// heed find answers: the stretches of a text that answer questions.
#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/line_run.h"
#include "client/language/text_flags.h"
#include "client/language/text_json.h"
#include "client/language/token_view.h"
#include "client/render/shortest_number.h"

namespace heed::client {
namespace {

struct FindAnswersSettings {
  TextCommandFlags common;
  TextFlags text;
  OverlongFlags overlong;
  std::vector<std::pair<std::string, std::string>> questions;  // "question", text
  std::string question_file;                                   // empty or "-": standard input
  std::optional<int> top;
  std::optional<int> max_answer_tokens;
  bool allow_no_answer = false;
  bool attention = false;
  std::string file;
};

CommandHelp FindAnswersHelp() {
  return {
      "heed find answers [flags] FILE",
      "Finds the stretches of the text FILE that answer questions: those of --question, or each line of standard\n"
      "input. Prints one line for each question: the answer as the text has it and its probability, between tabs.\n"
      "On a terminal the answer stands in what surrounds it. A question that has no answer (with\n"
      "--allow_no_answer) prints an empty answer. For a question that fails it prints an empty line; the number and\n"
      "the error go to standard error.\n"
      "\n"
      "`heed ask` is for stories that are told sentence by sentence.",
      "Exit codes:\n"
      "  0    every question was asked\n"
      "  1    some questions failed\n"
      "  2    wrong flags, FILE cannot be read, no such model, several to choose from, or one that finds no answers\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed find answers article.txt --question='Who wrote it?' --question='When?'\n"
      "  heed find answers article.txt --top=3 --allow_no_answer < questions.txt\n"
      "  heed find answers article.txt --json < questions.txt | jq -r .answer\n"};
}

std::optional<int> ParseFindAnswersSettings(const std::vector<std::string>& arguments, Console& console,
                                            FindAnswersSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "question");
  flags.AddSection("Input");
  flags.AddEach("question", &settings.questions, "TEXT", "A question. May be given again.");
  flags.AddString("questions", &settings.question_file, "FILE",
                  "File of questions, one a line. - is standard input, the default.");
  settings.overlong.AddTo(flags, "windows");
  flags.AddSection("Answers");
  flags.AddInt("top", &settings.top, 1, 100, "Answers to print for each question. Defaults to 1.");
  flags.AddInt("max_answer_tokens", &settings.max_answer_tokens, 1, 1000000,
               "Maximum tokens of an answer. Defaults to 15.");
  flags.AddBool("allow_no_answer", &settings.allow_no_answer, "Leave out answers that are no better than none.");
  flags.AddSection("Output");
  flags.AddBool("attention", &settings.attention,
                "Draw below each answer which tokens (columns) the last layer looked at for each of its tokens (row). "
                "With --json, add the weights.");
  flags.AddBool("json", &settings.common.json,
                "Print a JSON object for each question: question, answer, answers (each with text, start, end and "
                "score), no_answer_score and tokens; or error.");
  settings.text.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(FindAnswersHelp(), flags, arguments, 1, others, console)) return code;
  if (others.empty()) return Fail(console, kExitUsage, "heed find answers needs the FILE of a text");
  settings.file = others[0];
  if (!settings.questions.empty() && !settings.question_file.empty()) {
    return Fail(console, kExitUsage, "--question and --questions exclude each other");
  }
  if (settings.file == "-" && settings.questions.empty() &&
      (settings.question_file.empty() || settings.question_file == "-")) {
    return Fail(console, kExitUsage, "the text and the questions cannot both be standard input");
  }
  return std::nullopt;
}

// What surrounds an answer on one line, at most `width` bytes of it, cut between words.
std::string AnswerExcerpt(const std::string& context, const v1::AnswerFromTextResponse::Answer& answer, int width) {
  const auto size = static_cast<int64_t>(context.size());
  if (answer.start() < 0 || answer.end() < answer.start() || answer.end() > size) return answer.text();
  const int64_t room = std::max<int64_t>(20, (width - (answer.end() - answer.start()) - 8) / 2);
  int64_t begin = std::max<int64_t>(0, answer.start() - room);
  int64_t end = std::min(size, answer.end() + room);
  while (begin > 0 && begin < answer.start() && context[static_cast<size_t>(begin - 1)] != ' ') ++begin;
  while (end < size && end > answer.end() && context[static_cast<size_t>(end)] != ' ') --end;
  const auto piece = [&](int64_t from, int64_t to) {
    return VisibleLine(context.substr(static_cast<size_t>(from), static_cast<size_t>(to - from)));
  };
  return absl::StrCat(begin > 0 ? "..." : "", piece(begin, answer.start()),
                      Highlighted(piece(answer.start(), answer.end()), true), piece(answer.end(), end),
                      end < size ? "..." : "");
}

// Names for the tokens of an answer: its words, if there are as many.
std::vector<std::string> AnswerRows(const std::string& answer, int count) {
  std::vector<std::string> rows = absl::StrSplit(answer, ' ', absl::SkipEmpty());
  if (static_cast<int>(rows.size()) == count) return rows;
  rows.clear();
  for (int row = 0; row < count; ++row) rows.push_back(absl::StrCat("answer ", row + 1));
  return rows;
}

class FoundPrinter {
 public:
  FoundPrinter(const FindAnswersSettings& settings, const std::string& context, Console& console)
      : settings_(settings), context_(context), console_(console) {}

  grpc::Status Print(int64_t number, const std::string& question, const v1::AnswerFromTextResponse& response) {
    if (response.questions_size() != 1) return grpc::Status(grpc::StatusCode::INTERNAL, "the server sent no answer");
    const v1::AnswerFromTextResponse::Question& found = response.questions(0);
    if (settings_.common.json) {
      PrintJson(number, question, found);
      return grpc::Status::OK;
    }
    if (UsesColor(console_)) {
      PrintInContext(question, found);
    } else {
      PrintLine(found);
    }
    if (settings_.attention && found.answers_size() > 0) {
      const v1::TextAttention& attention = found.attention();
      const std::vector<std::string> rows = AnswerRows(found.answers(0).text(), attention.row_count());
      console_.out << TextAttentionMap(attention, rows, console_.columns) << "\n";
    }
    return grpc::Status::OK;
  }

 private:
  void PrintLine(const v1::AnswerFromTextResponse::Question& found) {
    std::string line;
    for (const v1::AnswerFromTextResponse::Answer& answer : found.answers()) {
      absl::StrAppendFormat(&line, "%s%s\t%.4f", line.empty() ? "" : "\t", VisibleLine(answer.text()), answer.score());
    }
    console_.out << line << "\n";
  }

  void PrintInContext(const std::string& question, const v1::AnswerFromTextResponse::Question& found) {
    console_.out << VisibleLine(question) << "\n";
    for (const v1::AnswerFromTextResponse::Answer& answer : found.answers()) {
      console_.out << absl::StrFormat("  %.2f  %s\n", answer.score(),
                                      AnswerExcerpt(context_, answer, console_.columns));
    }
    if (found.answers_size() == 0) console_.out << "  no answer\n";
  }

  void PrintJson(int64_t number, const std::string& question, const v1::AnswerFromTextResponse::Question& found) {
    using Json = nlohmann::ordered_json;
    Json json = {{"line", number},
                 {"question", question},
                 {"answer", found.answers_size() > 0 ? found.answers(0).text() : ""},
                 {"answers", Json::array()}};
    for (const v1::AnswerFromTextResponse::Answer& answer : found.answers()) {
      json["answers"].push_back({{"text", answer.text()},
                                 {"start", answer.start()},
                                 {"end", answer.end()},
                                 {"score", ShortestNumber(answer.score())}});
    }
    if (found.has_no_answer_score()) json["no_answer_score"] = ShortestNumber(found.no_answer_score());
    json["tokens"] = found.token_count();
    AddTextAttention(found.attention(), json);
    console_.out << JsonText(json) << "\n";
  }

  const FindAnswersSettings& settings_;
  const std::string& context_;
  Console& console_;
};

v1::AnswerFromTextRequest FindAnswersPrototype(const FindAnswersSettings& settings) {
  v1::AnswerFromTextRequest request;
  if (settings.top) request.set_top_k(*settings.top);
  if (settings.max_answer_tokens) request.set_max_answer_tokens(*settings.max_answer_tokens);
  request.set_allow_no_answer(settings.allow_no_answer);
  settings.overlong.Fill(request);
  settings.text.Fill(*request.mutable_text_options());
  request.set_return_attention(settings.attention);
  return request;
}

// Of --question, a line each.
std::string QuestionLines(const FindAnswersSettings& settings) {
  std::string lines;
  for (const auto& [flag, question] : settings.questions) {
    absl::StrAppend(&lines, absl::StrReplaceAll(question, {{"\n", " "}}), "\n");
  }
  return lines;
}

}  // namespace

int FindAnswersCommand(const std::vector<std::string>& arguments, Console& console) {
  FindAnswersSettings settings;
  if (const auto code = ParseFindAnswersSettings(arguments, console, settings)) return *code;
  v1::AnswerFromTextRequest prototype = FindAnswersPrototype(settings);
  CommandInput text(console);
  if (const auto code = text.Open(settings.file)) return *code;
  std::string& context = *prototype.mutable_context();
  if (!ReadWhole(text.stream(), context)) return Fail(console, kExitUsage, absl::StrCat("cannot read ", text.name()));
  if (const absl::Status checked = CheckLineText(context); !checked.ok()) {
    return Fail(console, kExitUsage, absl::StrCat(text.name(), ": ", checked.message()));
  }

  std::istringstream lines(QuestionLines(settings));
  Console of_flags = WithInput(console, lines);
  CommandInput input(settings.questions.empty() ? console : of_flags);
  if (const auto code = input.Open(settings.question_file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = ConnectToTextModel(settings.common, "", channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);
  FoundPrinter printer(settings, context, console);
  LineWork<v1::AnswerFromTextRequest> work;
  work.command = "heed find answers";
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::AnswerFromTextRequest> {
    v1::AnswerFromTextRequest request = prototype;
    request.add_questions(line);
    return request;
  };
  work.print = [&](int64_t number, const std::string& line, const v1::AnswerFromTextResponse& response) {
    return printer.Print(number, line, response);
  };
  return RunLines(settings.common, work, channel, input, console);
}

}  // namespace heed::client
