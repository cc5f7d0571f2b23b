// SPDX-License-Identifier: Apache-2.0
// heed fill: words for the gaps of texts.
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
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

constexpr char kDefaultMarker[] = "<mask>";

struct FillSettings {
  TextCommandFlags common;
  TextFlags text;
  std::string marker = kDefaultMarker;
  std::string candidates;
  std::optional<int> pieces;
  std::string order;
  std::string context;
  std::optional<int> top_k;
  bool join = false;
  bool attention = false;
  std::string file;  // empty or "-": standard input
};

CommandHelp FillHelp() {
  return {
      "heed fill [flags] [FILE]",
      "Fills the gaps in each line of FILE, or of standard input. A gap is where the line has \"<mask>\". Prints the\n"
      "line with the likeliest words filled in and, below it, the likeliest fillings of each gap with their\n"
      "probabilities. The command sends many lines at a time. For a line that fails it prints an empty line; the\n"
      "number and the error go to standard error. XLNet fills gaps.",
      "Exit codes:\n"
      "  0    every line was filled\n"
      "  1    some lines failed\n"
      "  2    wrong flags, FILE cannot be read, no such model, several to choose from, or one that fills no gaps\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  echo 'The capital of France is <mask>.' | heed fill --top_k=3\n"
      "  echo 'He <mask> to school.' | heed fill --candidates=go,goes,going\n"
      "  echo 'A ___ and a ___.' | heed fill --marker=___ --order=most-certain-first\n"
      "  heed fill --json --context='A story about the sea. ' gaps.txt | jq -r .text\n"};
}

std::optional<int> ParseFillSettings(const std::vector<std::string>& arguments, Console& console,
                                     FillSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "line");
  flags.AddSection("Gaps");
  flags.AddString("marker", &settings.marker, "TEXT", "What stands for a gap.");
  flags.AddString("candidates", &settings.candidates, "TEXT,TEXT,...", "Fill gaps only with these.");
  flags.AddInt("pieces", &settings.pieces, 1, 16, "Tokens that each gap has. Defaults to 1. Not with --candidates.");
  flags.AddChoice(
      "order", &settings.order, {"at-once", "left-to-right", "most-certain-first"},
      "When a token is chosen. at-once: all given the text only. left-to-right, most-certain-first: one after "
      "the other, each given those before. Defaults to at-once.");
  flags.AddString("context", &settings.context, "TEXT", "Text that is read before each line.");
  flags.AddBool("join", &settings.join, "The whole input is one text.");
  flags.AddSection("Output");
  flags.AddInt("top_k", &settings.top_k, 1, 100, "Fillings to print for each gap. Defaults to 5.");
  flags.AddBool(
      "attention", &settings.attention,
      "Draw below each line which tokens (columns) the last layer looked at for each filled token (row). With "
      "--json, add the weights.");
  flags.AddBool("json", &settings.common.json,
                "Print a JSON object for each line: text (filled), log_probability and gaps (each with its fillings: "
                "text, tokens, log_probability); or error.");
  settings.text.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(FillHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  if (settings.marker.empty()) return Fail(console, kExitUsage, "--marker= is empty");
  if (settings.pieces && !settings.candidates.empty()) {
    return Fail(console, kExitUsage, "--pieces and --candidates exclude each other");
  }
  return std::nullopt;
}

v1::FillInRequest FillPrototype(const FillSettings& settings) {
  v1::FillInRequest request;
  if (settings.marker != kDefaultMarker) request.set_marker(settings.marker);
  request.set_context(settings.context);
  if (settings.order == "at-once") request.set_order(v1::FillInRequest::ORDER_AT_ONCE);
  if (settings.order == "left-to-right") request.set_order(v1::FillInRequest::ORDER_LEFT_TO_RIGHT);
  if (settings.order == "most-certain-first") request.set_order(v1::FillInRequest::ORDER_MOST_CERTAIN_FIRST);
  if (settings.top_k) request.set_top_k(*settings.top_k);
  settings.text.Fill(*request.mutable_text_options());
  request.set_return_attention(settings.attention);
  return request;
}

class FillPrinter {
 public:
  FillPrinter(const FillSettings& settings, Console& console) : settings_(settings), console_(console) {}

  grpc::Status Print(int64_t number, const std::string& line, const v1::FillInResponse& response) {
    if (response.texts_size() != 1) return grpc::Status(grpc::StatusCode::INTERNAL, "the server filled nothing");
    const v1::FillInResponse::Text& text = response.texts(0);
    if (settings_.common.json) {
      PrintJson(number, text);
      return grpc::Status::OK;
    }
    console_.out << Filled(line, text) << "\n";
    for (int gap = 0; gap < text.gaps_size(); ++gap) PrintGap(gap, text);
    if (settings_.attention) PrintAttention(text);
    return grpc::Status::OK;
  }

 private:
  // The fillings stand out on a terminal.
  std::string Filled(const std::string& line, const v1::FillInResponse::Text& text) const {
    const std::vector<std::string> parts = absl::StrSplit(line, settings_.marker);
    const bool known = static_cast<int>(parts.size()) == text.gaps_size() + 1;
    if (!UsesColor(console_) || !known) return VisibleLine(text.filled_text());
    std::string out;
    for (size_t i = 0; i < parts.size(); ++i) {
      out += VisibleLine(parts[i]);
      if (i + 1 == parts.size()) break;
      const v1::FillInResponse::Gap& gap = text.gaps(static_cast<int>(i));
      if (gap.top_size() > 0) out += Highlighted(VisibleLine(gap.top(0).text()), true);
    }
    return out;
  }

  void PrintGap(int number, const v1::FillInResponse::Text& text) {
    const v1::FillInResponse::Gap& gap = text.gaps(number);
    if (text.gaps_size() > 1) console_.out << "  gap " << number + 1 << "\n";
    for (const v1::FillInResponse::Filling& filling : gap.top()) {
      console_.out << WeightBar(std::exp(filling.log_probability()), std::exp(gap.top(0).log_probability()),
                                filling.text());
    }
  }

  void PrintAttention(const v1::FillInResponse::Text& text) {
    std::vector<std::string> rows;
    for (const v1::FillInResponse::Gap& gap : text.gaps()) {
      if (gap.top_size() == 0) continue;
      for (const std::string& token : gap.top(0).tokens()) rows.push_back(TokenName(token));
    }
    console_.out << TextAttentionMap(text.attention(), rows, console_.columns) << "\n";
  }

  void PrintJson(int64_t number, const v1::FillInResponse::Text& text) {
    using Json = nlohmann::ordered_json;
    Json json = {{"line", number}, {"text", text.filled_text()}, {"log_probability", text.log_probability()}};
    json["gaps"] = Json::array();
    for (const v1::FillInResponse::Gap& gap : text.gaps()) {
      Json fillings = Json::array();
      for (const v1::FillInResponse::Filling& filling : gap.top()) {
        fillings.push_back({{"text", filling.text()},
                            {"tokens", Json(filling.tokens())},
                            {"log_probability", ShortestNumber(filling.log_probability())}});
      }
      json["gaps"].push_back(std::move(fillings));
    }
    AddTextAttention(text.attention(), json);
    console_.out << JsonText(json) << "\n";
  }

  const FillSettings& settings_;
  Console& console_;
};

}  // namespace

int FillCommand(const std::vector<std::string>& arguments, Console& console) {
  FillSettings settings;
  if (const auto code = ParseFillSettings(arguments, console, settings)) return *code;
  v1::FillInRequest prototype = FillPrototype(settings);
  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = ConnectToTextModel(settings.common, "", channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);
  FillPrinter printer(settings, console);
  LineWork<v1::FillInRequest> work;
  work.command = "heed fill";
  work.join = settings.join;
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::FillInRequest> {
    if (!absl::StrContains(line, settings.marker)) {
      return absl::InvalidArgumentError(absl::StrCat("has no gap: '", settings.marker, "' does not occur"));
    }
    v1::FillInRequest request = prototype;
    v1::FillInRequest::Text& text = *request.add_texts();
    text.set_text(line);
    if (settings.pieces) text.set_pieces(*settings.pieces);
    for (const absl::string_view candidate : absl::StrSplit(settings.candidates, ',', absl::SkipEmpty())) {
      text.add_candidates(std::string(candidate));
    }
    return request;
  };
  work.print = [&](int64_t number, const std::string& line, const v1::FillInResponse& response) {
    return printer.Print(number, line, response);
  };
  return RunLines(settings.common, work, channel, input, console);
}

}  // namespace heed::client
