// SPDX-License-Identifier: Apache-2.0
// A request for each line of a text, many in progress at a time, answers printed in order.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <istream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/console.h"
#include "client/cli/exit_code.h"
#include "client/language/text_flags.h"
#include "client/lib/channel.h"
#include "client/lib/request_pipeline.h"
#include "client/render/progress_bar.h"
#include "client/render/translation_json.h"

namespace heed::client {

// What a line is for a command.
template <typename Request>
struct LineWork {
  using Response = typename UnaryCall<Request>::Response;
  std::string command;  // "heed score", for messages
  // The line's request. INVALID_ARGUMENT: why it has none. Called on the caller's thread.
  std::function<absl::StatusOr<Request>(const std::string& line)> make;
  // Prints the answer to the line `number`, from 1. An error: the answer lacks what was asked for. Called by one thread
  // at a time.
  std::function<grpc::Status(int64_t number, const std::string& line, const Response& response)> print;
  bool join = false;  // the whole text is one line
};

// The text without its last end of line; all of it is one text for a command. False: it cannot be read.
bool ReadWhole(std::istream& in, std::string& text);

// OK, or INVALID_ARGUMENT: the line is not UTF-8.
absl::Status CheckLineText(const std::string& line);

// The console with another input, which is no terminal.
Console WithInput(const Console& console, std::istream& in);

// Whether an error concerns the whole run: the other lines would fail in the same way.
bool FailsEveryLine(const grpc::Status& status);
// Ends a run that `status` makes pointless. Returns the exit code.
int FailTexts(Console& console, const ServerFlags& server, grpc::Channel& channel, const grpc::Status& status);

// What a run has done. Used by one thread at a time.
class LineReport {
 public:
  LineReport(const TextCommandFlags& flags, int64_t input_bytes, bool typed, Console& console);

  void Count(int64_t source_bytes);
  // Prints why the line after those that were counted failed.
  void PrintFailure(const grpc::Status& status, int64_t source_bytes);
  void PrintOutage(const grpc::Status& status);
  void ClearBar() { bar_.Clear(); }
  int64_t lines() const { return progress_.lines; }
  // The exit code of a run that ended, after a message if it is not 0. `lost`: the error that ended it, if one did.
  int End(const std::istream& in, grpc::Channel& channel, const grpc::Status& lost);

 private:
  const TextCommandFlags& flags_;
  Console& console_;
  Progress progress_;
  ProgressBar bar_;
  bool failed_ = false;
};

// Sends a line, or takes its place with an error. False: the run is cancelled.
template <typename Request>
bool SubmitLine(const LineWork<Request>& work, const std::string& line, RequestPipeline<Request>& pipeline) {
  absl::Status status = CheckLineText(line);
  if (status.ok()) {
    absl::StatusOr<Request> request = work.make(line);
    if (request.ok()) return pipeline.Submit(*std::move(request));
    status = request.status();
  }
  return pipeline.Reject(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string(status.message())));
}

// Returns the exit code.
template <typename Request>
int RunLines(const TextCommandFlags& flags, const LineWork<Request>& work,
             const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console) {
  using Pipeline = RequestPipeline<Request>;
  LineReport report(flags, work.join ? -1 : input.bytes(), input.typed(), console);
  PipelineOptions options;
  options.in_flight = flags.in_flight;
  options.undelivered = 16 * flags.in_flight;
  options.deadline = flags.server.deadline();
  options.on_outage = [&report](const grpc::Status& status) { report.PrintOutage(status); };

  Mutex mutex;
  std::deque<std::string> lines;  // not yet delivered; guarded by mutex
  grpc::Status lost;              // the pipeline's thread writes it; read when that has finished
  Pipeline* running = nullptr;
  Pipeline pipeline(channel, options, [&](typename Pipeline::Result result) {
    std::string line;
    {
      MutexLock lock(mutex);
      line = std::move(lines.front());
      lines.pop_front();
    }
    const auto bytes = static_cast<int64_t>(line.size());
    grpc::Status status = result.status;
    if (status.ok()) status = work.print(report.lines() + 1, line, result.response);
    if (status.ok()) {
      report.Count(bytes);
    } else if (FailsEveryLine(status)) {
      lost = status;
    } else {
      report.PrintFailure(status, bytes);
    }
    if (!console.out || !lost.ok()) running->Cancel();
  });
  running = &pipeline;
  const std::stop_callback cancel(console.stop, [&pipeline] { pipeline.Cancel(); });

  std::string line;
  int64_t number = 0;
  bool open = true;
  absl::Status packed;
  while (open && (work.join ? number == 0 && ReadWhole(input.stream(), line) : ReadLine(input.stream(), line))) {
    ++number;
    if (number == 1) packed = CheckNotCompressed(line, input.name(), work.command);
    if (!packed.ok()) break;
    {
      MutexLock lock(mutex);
      lines.push_back(line);
    }
    open = SubmitLine(work, line, pipeline);
  }
  pipeline.Finish();
  if (!packed.ok()) return Fail(console, kExitUsage, std::string(packed.message()));
  return report.End(input.stream(), *channel, lost);
}

}  // namespace heed::client
