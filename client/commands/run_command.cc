// SPDX-License-Identifier: Apache-2.0
// heed run: rows of numbers through a sequence model, each sequence one request.
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/commands/row_file.h"
#include "client/lib/channel.h"
#include "client/lib/request_pipeline.h"
#include "client/render/classification_json.h"
#include "client/render/shortest_number.h"

namespace heed::client {
namespace {

constexpr char kSequenceModel[] = "sequence-model";

struct RunSettings {
  ServerFlags server;
  std::string model;
  std::optional<int> repeats;
  std::optional<int> answer_rows;
  bool round = false;
  bool json = false;
  int in_flight = 64;
  std::string file;  // empty or "-": standard input
};

CommandHelp RunHelp() {
  return {"heed run [flags] [FILE]",
          "Runs a recurrent model, such as a Neural Turing Machine of the copy task, over the rows of FILE or of\n"
          "standard input, and prints the rows that come back. A row is a line of numbers between blanks, tabs or\n"
          "commas. In a file of nothing but lines like 01101001, each digit is a number. Blank lines separate\n"
          "sequences, in the output too. The command sends many sequences at a time. For one that fails it prints no\n"
          "rows; the line and the error go to standard error.\n"
          "\n"
          "Rows as wide as the model's input are its input, unchanged. Rows as wide as its data are framed by the\n"
          "server as in training (markers, blank rows), and only the answer comes back.",
          "Exit codes:\n"
          "  0    every sequence was run\n"
          "  1    some sequences failed\n"
          "  2    wrong flags, FILE cannot be read or is malformed, no such model, or several to choose from\n"
          "  3    no server, it went away, or no model that serves\n"
          "  130  interrupted\n"
          "\n"
          "Examples:\n"
          "  printf '01101001\\n11100010\\n' | heed run --model=ntm-copy --round\n"
          "  heed run --model=ntm-repeat-copy --repeats=3 rows.txt\n"
          "  heed run --json rows.csv | jq -c '.rows[0]'\n"};
}

std::optional<int> ParseRunSettings(const std::vector<std::string>& arguments, Console& console,
                                    RunSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a sequence, with all its retries. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME", "Name of the model. Defaults to the server's only sequence model.");
  flags.AddInt("in_flight", &settings.in_flight, 1, 100000, "Maximum sequences in progress at a time.");
  flags.AddSection("Input");
  flags.AddInt("repeats", &settings.repeats, 1, std::numeric_limits<int>::max(),
               "Number of times that a model which repeats its data repeats it. Defaults to 1.");
  flags.AddInt("answer_rows", &settings.answer_rows, 0, std::numeric_limits<int>::max(),
               "Append N rows of zeros to rows of the model's input width, and print only what comes back for them.");
  flags.AddSection("Output");
  flags.AddBool("round", &settings.round, "Print 1 for numbers of at least 0.5, and 0 for the others.");
  flags.AddBool("json", &settings.json,
                "Print a JSON object for each sequence: sequence (from 1), model and rows, or error.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(RunHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  return std::nullopt;
}

grpc::Status Check(const v1::RunSequenceResponse& response) {
  if (response.width() > 0 && response.values_size() % response.width() == 0) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::INTERNAL, absl::StrCat("the server sent ", response.values_size(),
                                                               " numbers in rows of ", response.width()));
}

// Prints sequences in order and remembers how it went. Used by one thread at a time.
class RowPrinter {
 public:
  RowPrinter(const RunSettings& settings, std::string place, Console& console)
      : settings_(settings), place_(std::move(place)), console_(console) {}

  void Print(const v1::RunSequenceResponse& response) {
    Begin();
    if (settings_.json) {
      PrintJson(response);
    } else {
      PrintText(response);
    }
    console_.out << std::flush;
  }

  // Of the sequence that begins at `line`.
  void PrintFailure(int64_t line, const grpc::Status& status) {
    Begin();
    failed_ = true;
    if (settings_.json) {
      nlohmann::ordered_json json = {{"sequence", sequences_}};
      AddError(status, json);
      console_.out << JsonText(json) << "\n";
    }
    console_.out << std::flush;
    Note(console_, absl::StrCat(place_, ", line ", line, ": ", StatusText(status)));
  }

  int64_t sequences() const { return sequences_; }
  bool failed() const { return failed_; }

 private:
  void Begin() {
    if (++sequences_ > 1 && !settings_.json) console_.out << "\n";
  }

  static bool Rounded(float value) { return value >= 0.5f; }

  void PrintText(const v1::RunSequenceResponse& response) {
    int64_t column = 0;
    for (const float value : response.values()) {
      column = column % response.width() + 1;
      console_.out << (settings_.round ? absl::StrCat(Rounded(value)) : ShortestText(value))
                   << (column == response.width() ? '\n' : ' ');
    }
  }

  void PrintJson(const v1::RunSequenceResponse& response) {
    using Json = nlohmann::ordered_json;
    Json rows = Json::array();
    for (int first = 0; first < response.values_size(); first += static_cast<int>(response.width())) {
      Json row = Json::array();
      for (int column = 0; column < response.width(); ++column) {
        const float value = response.values(first + column);
        row.push_back(settings_.round ? Json(static_cast<int>(Rounded(value))) : Json(ShortestNumber(value)));
      }
      rows.push_back(std::move(row));
    }
    console_.out << JsonText({{"sequence", sequences_}, {"model", response.model()}, {"rows", std::move(rows)}})
                 << "\n";
  }

  const RunSettings& settings_;
  const std::string place_;
  Console& console_;
  int64_t sequences_ = 0;
  bool failed_ = false;
};

v1::RunSequenceRequest MakeRequest(const v1::RunSequenceRequest& prototype, const RowSequence& sequence) {
  v1::RunSequenceRequest request = prototype;
  request.set_width(sequence.width);
  request.mutable_values()->Add(sequence.values.begin(), sequence.values.end());
  return request;
}

int RunSequences(const RunSettings& settings, const v1::RunSequenceRequest& prototype,
                 const std::vector<RowSequence>& sequences, const std::shared_ptr<grpc::Channel>& channel,
                 RowPrinter& printer, Console& console) {
  using Pipeline = RequestPipeline<v1::RunSequenceRequest>;
  PipelineOptions options;
  options.in_flight = settings.in_flight;
  options.undelivered = 16 * settings.in_flight;
  options.deadline = settings.server.deadline();
  options.on_outage = [&](const grpc::Status& status) { NoteWaiting(console, settings.server.address, status); };
  grpc::Status lost;  // the pipeline's thread writes it; read when that has finished
  Pipeline* running = nullptr;
  Pipeline pipeline(channel, options, [&](Pipeline::Result result) {
    const grpc::Status status = result.status.ok() ? Check(result.response) : result.status;
    if (status.ok()) {
      printer.Print(result.response);
    } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      lost = status;
    } else {
      printer.PrintFailure(sequences[static_cast<size_t>(result.index)].line, status);
    }
    if (!console.out || !lost.ok()) running->Cancel();
  });
  running = &pipeline;
  const std::stop_callback cancel(console.stop, [&pipeline] { pipeline.Cancel(); });
  for (const RowSequence& sequence : sequences) {
    if (!pipeline.Submit(MakeRequest(prototype, sequence))) break;
  }
  pipeline.Finish();
  if (console.stop.stop_requested()) {
    return Fail(console, kExitInterrupted, absl::StrCat("interrupted after ", printer.sequences(), " sequences"));
  }
  if (!console.out) return FailOutput(console);
  if (!lost.ok()) return FailCall(console, settings.server, *channel, lost);
  return printer.failed() ? kExitFailed : kExitOk;
}

}  // namespace

int RunCommand(const std::vector<std::string>& arguments, Console& console) {
  RunSettings settings;
  if (const auto code = ParseRunSettings(arguments, console, settings)) return *code;
  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  const absl::StatusOr<std::vector<RowSequence>> sequences = ReadRows(input.stream(), input.name());
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  if (!sequences.ok()) return Fail(console, kExitUsage, std::string(sequences.status().message()));
  if (sequences->empty()) return Fail(console, kExitUsage, absl::StrCat("there is no row in ", input.name()));

  v1::RunSequenceRequest prototype;
  if (settings.repeats) prototype.set_repeat_count(*settings.repeats);
  if (settings.answer_rows) prototype.set_answer_row_count(*settings.answer_rows);
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  if (const auto code =
          ResolveModel(channel, settings.server, kSequenceModel, settings.model, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.server.model_version);
  RowPrinter printer(settings, input.name(), console);
  return RunSequences(settings, prototype, *sequences, channel, printer, console);
}

}  // namespace heed::client
