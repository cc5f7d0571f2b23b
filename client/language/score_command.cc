// SPDX-License-Identifier: Apache-2.0
// heed score: how likely lines, or a whole text, are to a language model.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/line_run.h"
#include "client/language/score_summary.h"
#include "client/language/text_flags.h"
#include "client/language/text_json.h"
#include "client/language/token_view.h"

namespace heed::client {
namespace {

struct ScoreSettings {
  TextCommandFlags common;
  TextSessionFlags session;
  ScoreFlags options;
  std::string context;
  bool pairs = false;
  bool ids = false;
  bool join = false;
  bool tokens = false;
  bool attention = false;
  std::string file;  // empty or "-": standard input
};

CommandHelp ScoreHelp() {
  return {
      "heed score [flags] [FILE]",
      "Prints how likely each line of FILE, or of standard input, is to a language model: its log-probability\n"
      "(natural), its perplexity, the number of its tokens, and the line. With --join all of FILE is one text. The\n"
      "sums, and words that the model does not know, go to standard error at the end. The command sends many lines\n"
      "at a time. For a line that fails it prints an empty line; the number and the error go to standard error.",
      "Exit codes:\n"
      "  0    every line was scored\n"
      "  1    some lines failed\n"
      "  2    wrong flags, FILE cannot be read, no such model, several to choose from, or one that cannot score\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  echo 'The dog barks at the mailman.' | heed score --tokens\n"
      "  heed score --join --line_end --tokenization=whitespace wiki.test.tokens     # a test set's perplexity\n"
      "  heed score --json lines.txt | jq .perplexity\n"
      "  printf 'The capital of France is\\t Paris.\\n' | heed score --pairs\n"};
}

std::optional<int> ParseScoreSettings(const std::vector<std::string>& arguments, Console& console,
                                      ScoreSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "line");
  flags.AddSection("Input");
  flags.AddBool("join", &settings.join, "Score the whole input as one text.");
  flags.AddString("context", &settings.context, "TEXT",
                  "Text that stands before every line, in the same text. It is read and not scored.");
  flags.AddBool("pairs", &settings.pairs, "Each line is CONTEXT<TAB>TEXT. The context is read and not scored.");
  flags.AddBool("ids", &settings.ids, "Each line is the ids of tokens, between blanks.");
  flags.AddSection("Output");
  flags.AddBool("tokens", &settings.tokens,
                "Draw below each line how surprising each of its tokens was. With --json, add token_scores.");
  flags.AddBool(
      "attention", &settings.attention,
      "Draw below each line which tokens (columns) the last layer looked at for each token (row). With --json, "
      "add the weights.");
  flags.AddBool("json", &settings.common.json,
                "Print a JSON object for each line: log_probability, tokens (their number), words, bytes, perplexity, "
                "bits_per_byte, is_greedy, unknown_words and unknown_tokens; or error.");
  settings.session.AddTo(flags, "Id of a session. Every line follows what it has read. The session does not change.");
  settings.options.AddTo(flags, /*with_order=*/true);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(ScoreHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  if (settings.join + settings.pairs + settings.ids > 1) {
    return Fail(console, kExitUsage, "--join, --pairs and --ids exclude each other");
  }
  if (settings.pairs && !settings.context.empty()) {
    return Fail(console, kExitUsage, "--pairs and --context exclude each other");
  }
  if (settings.options.top_k > 0 && !settings.tokens) return Fail(console, kExitUsage, "--top_k needs --tokens");
  return settings.session.Check(console);
}

absl::Status FillItem(const ScoreSettings& settings, const std::string& line, v1::ScoreRequest::Item& item) {
  item.set_context(settings.context);
  if (settings.pairs) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    if (parts.size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", parts.size() - 1, " tabs, but --pairs needs 1: CONTEXT<TAB>TEXT"));
    }
    item.set_context(parts[0]);
    item.set_text(parts[1]);
    return absl::OkStatus();
  }
  if (!settings.ids) {
    item.set_text(line);
    return absl::OkStatus();
  }
  v1::ScoreRequest::Tokens& tokens = *item.mutable_tokens();
  for (const absl::string_view word : absl::StrSplit(line, absl::ByAnyChar(" \t,"), absl::SkipEmpty())) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(word, &id)) {
      return absl::InvalidArgumentError(absl::StrCat("'", word.substr(0, 40), "' is not the id of a token"));
    }
    tokens.add_ids(id);
  }
  return absl::OkStatus();
}

class ScorePrinter {
 public:
  ScorePrinter(const ScoreSettings& settings, Console& console)
      : settings_(settings), console_(console), tokens_(console) {}

  grpc::Status Print(int64_t number, const std::string& line, const v1::ScoreResponse& response) {
    if (response.scores_size() != 1) return grpc::Status(grpc::StatusCode::INTERNAL, "the server sent no score");
    const v1::TextScore& score = response.scores(0);
    summary_.Add(score);
    if (settings_.common.json) {
      nlohmann::ordered_json json = {{"line", number}};
      AddScore(score, json);
      json["model"] = response.model();
      console_.out << JsonText(json) << "\n";
      return grpc::Status::OK;
    }
    const size_t tab = settings_.pairs ? line.find('\t') + 1 : 0;
    const std::string text = line.substr(tab);
    PrintLine(score, settings_.join ? "" : text);
    if (settings_.tokens) console_.out << tokens_.Of(settings_.ids ? "" : text, score.token_scores()) << "\n";
    if (settings_.attention) {
      console_.out << TextAttentionMap(score.attention(), score.token_scores(), console_.columns) << "\n";
    }
    return grpc::Status::OK;
  }

  void PrintSummary(int64_t lines) {
    if (lines > 0 && !settings_.common.json) Note(console_, summary_.Text(settings_.join ? 0 : lines));
  }

 private:
  // Aligned for people, between tabs for programs.
  void PrintLine(const v1::TextScore& score, const std::string& text) {
    if (!console_.out_is_terminal) {
      console_.out << absl::StrFormat("%.4f\t%.4f\t%d", score.log_probability(), score.perplexity(), score.tokens());
      if (!text.empty()) console_.out << "\t" << VisibleLine(text);
      console_.out << "\n";
      return;
    }
    if (!titled_) console_.out << "    LOG-PROB  PERPLEXITY  TOKENS\n";
    titled_ = true;
    console_.out << absl::StrFormat("%12.4f  %10.2f  %6d", score.log_probability(), score.perplexity(), score.tokens());
    // With --tokens the text is below.
    if (!text.empty() && !settings_.tokens) console_.out << "  " << VisibleLine(text);
    console_.out << "\n";
  }

  const ScoreSettings& settings_;
  Console& console_;
  TokenView tokens_;
  ScoreSummary summary_;
  bool titled_ = false;
};

}  // namespace

int ScoreCommand(const std::vector<std::string>& arguments, Console& console) {
  ScoreSettings settings;
  if (const auto code = ParseScoreSettings(arguments, console, settings)) return *code;
  v1::ScoreRequest prototype;
  settings.options.Fill(*prototype.mutable_options());
  prototype.mutable_options()->set_return_tokens(settings.tokens || (settings.attention && !settings.common.json));
  prototype.mutable_options()->set_return_attention(settings.attention);
  prototype.set_session(settings.session.session);
  if (settings.session.expected_version) prototype.set_expected_version(*settings.session.expected_version);

  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code =
          ConnectToTextModel(settings.common, settings.session.session, channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);

  ScorePrinter printer(settings, console);
  LineWork<v1::ScoreRequest> work;
  work.command = "heed score";
  work.join = settings.join;
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::ScoreRequest> {
    v1::ScoreRequest request = prototype;
    if (const absl::Status filled = FillItem(settings, line, *request.add_items()); !filled.ok()) return filled;
    return request;
  };
  int64_t lines = 0;
  work.print = [&](int64_t number, const std::string& line, const v1::ScoreResponse& response) {
    lines = number;
    return printer.Print(number, line, response);
  };
  const int code = RunLines(settings.common, work, channel, input, console);
  if (code == kExitOk || code == kExitFailed) printer.PrintSummary(lines);
  return code;
}

}  // namespace heed::client
