// SPDX-License-Identifier: Apache-2.0
// heed tag: a label for each word.
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
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

struct TagSettings {
  TextCommandFlags common;
  TextFlags text;
  OverlongFlags overlong;
  bool join = false;
  bool attention = false;
  std::string file;  // empty or "-": standard input
};

CommandHelp TagHelp() {
  return {
      "heed tag [flags] [FILE]",
      "Labels each word of each line of FILE, or of standard input: names, parts of speech, whatever the model was\n"
      "trained for. Prints a line for each word, with the word, its label and the label's probability between tabs,\n"
      "and a blank line behind each text. On a terminal each text is one line, with the labels behind the words.\n"
      "The command sends many lines at a time. For a line that fails it prints an empty line; the number and the\n"
      "error go to standard error.",
      "Exit codes:\n"
      "  0    every line was labeled\n"
      "  1    some lines failed\n"
      "  2    wrong flags, FILE cannot be read, no such model, several to choose from, or one that labels no words\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  echo 'Angela lives in Berlin.' | heed tag --model=ner\n"
      "  heed tag --model=ner news.txt | awk -F'\\t' '$2 != \"O\"'\n"
      "  heed tag --json news.txt | jq '.words[] | select(.label != \"O\")'\n"};
}

std::optional<int> ParseTagSettings(const std::vector<std::string>& arguments, Console& console,
                                    TagSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "line");
  flags.AddSection("Input");
  flags.AddBool("join", &settings.join, "The whole input is one text.");
  settings.overlong.AddTo(flags, "refuse");
  flags.AddSection("Output");
  flags.AddBool(
      "attention", &settings.attention,
      "Draw below each text which tokens (columns) the last layer looked at for each token (row). With --json, "
      "add the weights.");
  flags.AddBool("json", &settings.common.json,
                "Print a JSON object for each line: words (each with word, start, end, label and score) and tokens; or "
                "error.");
  settings.text.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(TagHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  return std::nullopt;
}

class TagPrinter {
 public:
  TagPrinter(const TagSettings& settings, Console& console) : settings_(settings), console_(console) {}

  grpc::Status Print(int64_t number, const std::string& line, const v1::TagTextsResponse& response) {
    if (response.texts_size() != 1) return grpc::Status(grpc::StatusCode::INTERNAL, "the server labeled nothing");
    const v1::TagTextsResponse::Text& text = response.texts(0);
    if (settings_.common.json) {
      PrintJson(number, text);
    } else if (console_.out_is_terminal) {
      PrintInline(line, text);
    } else {
      for (const v1::TagTextsResponse::Word& word : text.words()) {
        console_.out << absl::StrFormat("%s\t%s\t%.4f\n", VisibleLine(word.word()), VisibleLine(word.label()),
                                        word.score());
      }
      console_.out << "\n";
    }
    if (settings_.attention && !settings_.common.json) PrintAttention(text);
    return grpc::Status::OK;
  }

 private:
  // "O" says that a word is nothing special.
  static bool IsNothing(const std::string& label) { return label == "O"; }

  // A label has the same color everywhere; B-PER and I-PER share one.
  std::string Colored(const std::string& text, const std::string& label) {
    static constexpr std::array<int, 6> kBackgrounds = {222, 153, 157, 218, 189, 223};
    absl::string_view name = label;
    if (!absl::ConsumePrefix(&name, "B-")) absl::ConsumePrefix(&name, "I-");
    const auto [entry, is_new] = colors_.try_emplace(std::string(name), colors_.size());
    return absl::StrCat("\x1b[38;5;16;48;5;", kBackgrounds[entry->second % kBackgrounds.size()], "m", text, "\x1b[0m");
  }

  void PrintInline(const std::string& line, const v1::TagTextsResponse::Text& text) {
    const bool color = UsesColor(console_);
    const auto size = static_cast<int64_t>(line.size());
    int64_t printed = 0;
    for (const v1::TagTextsResponse::Word& word : text.words()) {
      if (word.start() < printed || word.end() < word.start() || word.end() > size) continue;
      console_.out << VisibleLines(
          line.substr(static_cast<size_t>(printed), static_cast<size_t>(word.start() - printed)));
      const std::string spelled = VisibleLine(word.word());
      const std::string label = VisibleLine(word.label());
      if (IsNothing(word.label())) {
        console_.out << spelled;
      } else if (color) {
        console_.out << Colored(absl::StrCat(spelled, " ", label), word.label());
      } else {
        console_.out << spelled << "/" << label;
      }
      printed = word.end();
    }
    console_.out << VisibleLines(line.substr(static_cast<size_t>(printed))) << "\n";
  }

  void PrintAttention(const v1::TagTextsResponse::Text& text) {
    std::vector<std::string> rows;
    for (const std::string& token : text.attention().column_tokens()) rows.push_back(TokenName(token));
    console_.out << TextAttentionMap(text.attention(), rows, console_.columns) << "\n";
  }

  void PrintJson(int64_t number, const v1::TagTextsResponse::Text& text) {
    using Json = nlohmann::ordered_json;
    Json json = {{"line", number}, {"words", Json::array()}, {"tokens", text.token_count()}};
    for (const v1::TagTextsResponse::Word& word : text.words()) {
      json["words"].push_back({{"word", word.word()},
                               {"start", word.start()},
                               {"end", word.end()},
                               {"label", word.label()},
                               {"score", ShortestNumber(word.score())}});
    }
    AddTextAttention(text.attention(), json);
    console_.out << JsonText(json) << "\n";
  }

  const TagSettings& settings_;
  Console& console_;
  std::map<std::string, size_t> colors_;  // of labels, in the order in which they came
};

}  // namespace

int TagCommand(const std::vector<std::string>& arguments, Console& console) {
  TagSettings settings;
  if (const auto code = ParseTagSettings(arguments, console, settings)) return *code;
  v1::TagTextsRequest prototype;
  settings.text.Fill(*prototype.mutable_text_options());
  settings.overlong.Fill(prototype);
  prototype.set_return_attention(settings.attention);
  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = ConnectToTextModel(settings.common, "", channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);
  TagPrinter printer(settings, console);
  LineWork<v1::TagTextsRequest> work;
  work.command = "heed tag";
  work.join = settings.join;
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::TagTextsRequest> {
    v1::TagTextsRequest request = prototype;
    request.add_texts(line);
    return request;
  };
  work.print = [&](int64_t number, const std::string& line, const v1::TagTextsResponse& response) {
    return printer.Print(number, line, response);
  };
  return RunLines(settings.common, work, channel, input, console);
}

}  // namespace heed::client
