// SPDX-License-Identifier: Apache-2.0
// heed classify texts: labels for texts, and for pairs of texts.
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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
#include "client/render/weight_bar.h"

namespace heed::client {
namespace {

struct ClassifyTextsSettings {
  TextCommandFlags common;
  TextFlags text;
  OverlongFlags overlong;
  std::string pair;
  bool choices = false;
  bool join = false;
  int top = 1;
  std::string function;
  bool attention = false;
  std::string file;  // empty or "-": standard input
};

CommandHelp ClassifyTextsHelp() {
  return {
      "heed classify texts [flags] [FILE]",
      "Labels each line of FILE, or of standard input, and prints one line for each, in order: the most likely label\n"
      "and its probability, between tabs. A line TEXT<TAB>TEXT is a pair of texts, for models of pairs. With\n"
      "--choices it is TEXT<TAB>CHOICE<TAB>CHOICE..., and the label is the number of the best choice, from 0. The\n"
      "command sends many lines at a time. For a line that fails it prints an empty line; the number and the error\n"
      "go to standard error.",
      "Exit codes:\n"
      "  0    every line was labeled\n"
      "  1    some lines failed\n"
      "  2    wrong flags, FILE cannot be read, no such model, several to choose from, or one without labels\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  echo 'A warm and funny film.' | heed classify texts --model=sentiment --top=0\n"
      "  heed classify texts --model=nli pairs.tsv | cut -f1 | sort | uniq -c\n"
      "  heed classify texts --pair='It rains.' --model=nli premises.txt\n"
      "  heed classify texts --choices --model=swag questions.tsv\n"};
}

std::optional<int> ParseClassifyTextsSettings(const std::vector<std::string>& arguments, Console& console,
                                              ClassifyTextsSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "line");
  flags.AddSection("Input");
  flags.AddString("pair", &settings.pair, "TEXT", "Second text of every line.");
  flags.AddBool("choices", &settings.choices, "The tabs of a line stand before choices.");
  flags.AddBool("join", &settings.join, "The whole input is one text.");
  settings.overlong.AddTo(flags, "refuse");
  flags.AddSection("Output");
  flags.AddInt("top", &settings.top, 0, 1000000,
               "Add the next most likely labels and their probabilities, N in all. 0 adds every label. On a terminal "
               "they are bars below the line.");
  flags.AddChoice("function", &settings.function, {"softmax", "sigmoid", "none"},
                  "What becomes of the model's values. Defaults to the model's: probabilities of labels that exclude "
                  "each other (softmax) or do not (sigmoid), or the values themselves (regression).");
  flags.AddBool("attention", &settings.attention,
                "Draw below each line which tokens the last layer looked at. With --json, add the weights.");
  flags.AddBool("json", &settings.common.json,
                "Print a JSON object for each line: label, score, top (objects of both), tokens and truncated; or "
                "error.");
  settings.text.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(ClassifyTextsHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  if (settings.choices && !settings.pair.empty()) {
    return Fail(console, kExitUsage, "--pair and --choices exclude each other");
  }
  return std::nullopt;
}

absl::Status FillClassifyItem(const ClassifyTextsSettings& settings, const std::string& line,
                              v1::ClassifyTextsRequest::Item& item) {
  const std::vector<std::string> parts = absl::StrSplit(line, '\t');
  item.set_text(settings.join ? line : parts[0]);
  item.set_pair(settings.pair);
  if (settings.join || parts.size() == 1) {
    if (!settings.choices) return absl::OkStatus();
    return absl::InvalidArgumentError("has no tab, but --choices needs TEXT<TAB>CHOICE<TAB>CHOICE...");
  }
  if (settings.choices) {
    for (size_t i = 1; i < parts.size(); ++i) item.add_choices(parts[i]);
    return absl::OkStatus();
  }
  if (parts.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", parts.size() - 1, " tabs, but a pair has 1 (--choices: any number)"));
  }
  if (!settings.pair.empty()) return absl::InvalidArgumentError("has a tab, but --pair gives the second text");
  item.set_pair(parts[1]);
  return absl::OkStatus();
}

class LabelPrinter {
 public:
  LabelPrinter(const ClassifyTextsSettings& settings, Console& console) : settings_(settings), console_(console) {}

  grpc::Status Print(int64_t number, const v1::ClassifyTextsResponse& response) {
    if (response.items_size() != 1 || response.items(0).labels_size() == 0) {
      return grpc::Status(grpc::StatusCode::INTERNAL, "the server sent no label");
    }
    const v1::ClassifyTextsResponse::Item& item = response.items(0);
    if (settings_.common.json) {
      PrintJson(number, item);
      return grpc::Status::OK;
    }
    const bool bars =
        console_.out_is_terminal && settings_.top != 1 && item.labels(item.labels_size() - 1).score() >= 0;
    std::string line;
    for (const v1::ClassifyTextsResponse::Label& label : item.labels()) {
      absl::StrAppendFormat(&line, "%s%s\t%.4f", line.empty() ? "" : "\t", VisibleLine(label.label()), label.score());
      if (bars) break;
    }
    console_.out << line << "\n";
    for (int i = 0; bars && i < item.labels_size(); ++i) {
      console_.out << WeightBar(item.labels(i).score(), item.labels(0).score(), item.labels(i).label());
    }
    if (settings_.attention) {
      console_.out << TextAttentionMap(item.attention(), std::vector<std::string>{item.labels(0).label()},
                                       console_.columns)
                   << "\n";
    }
    return grpc::Status::OK;
  }

 private:
  void PrintJson(int64_t number, const v1::ClassifyTextsResponse::Item& item) {
    using Json = nlohmann::ordered_json;
    Json json = {{"line", number},
                 {"label", item.labels(0).label()},
                 {"score", ShortestNumber(item.labels(0).score())},
                 {"top", Json::array()}};
    for (const v1::ClassifyTextsResponse::Label& label : item.labels()) {
      json["top"].push_back({{"label", label.label()}, {"score", ShortestNumber(label.score())}});
    }
    json["tokens"] = item.token_count();
    json["truncated"] = item.truncated();
    AddTextAttention(item.attention(), json);
    console_.out << JsonText(json) << "\n";
  }

  const ClassifyTextsSettings& settings_;
  Console& console_;
};

}  // namespace

int ClassifyTextsCommand(const std::vector<std::string>& arguments, Console& console) {
  ClassifyTextsSettings settings;
  if (const auto code = ParseClassifyTextsSettings(arguments, console, settings)) return *code;
  v1::ClassifyTextsRequest prototype;
  prototype.set_top_k(settings.top);
  if (settings.function == "softmax") prototype.set_function(v1::ClassifyTextsRequest::FUNCTION_SOFTMAX);
  if (settings.function == "sigmoid") prototype.set_function(v1::ClassifyTextsRequest::FUNCTION_SIGMOID);
  if (settings.function == "none") prototype.set_function(v1::ClassifyTextsRequest::FUNCTION_NONE);
  settings.overlong.Fill(prototype);
  settings.text.Fill(*prototype.mutable_text_options());
  prototype.set_return_attention(settings.attention);
  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = ConnectToTextModel(settings.common, "", channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);
  LabelPrinter printer(settings, console);
  LineWork<v1::ClassifyTextsRequest> work;
  work.command = "heed classify texts";
  work.join = settings.join;
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::ClassifyTextsRequest> {
    v1::ClassifyTextsRequest request = prototype;
    if (const absl::Status filled = FillClassifyItem(settings, line, *request.add_items()); !filled.ok()) return filled;
    return request;
  };
  work.print = [&](int64_t number, const std::string&, const v1::ClassifyTextsResponse& response) {
    return printer.Print(number, response);
  };
  return RunLines(settings.common, work, channel, input, console);
}

}  // namespace heed::client
