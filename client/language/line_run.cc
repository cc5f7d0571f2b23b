// SPDX-License-Identifier: Apache-2.0
#include "client/language/line_run.h"

#include <optional>
#include <vector>

#include "base/utf8.h"

namespace heed::client {

bool ReadWhole(std::istream& in, std::string& text) {
  text.clear();
  std::vector<char> part(1 << 16);
  while (in.read(part.data(), static_cast<std::streamsize>(part.size())) || in.gcount() > 0) {
    text.append(part.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) return false;
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return true;
}

absl::Status CheckLineText(const std::string& line) {
  const std::optional<size_t> invalid = FirstInvalidUtf8(line);
  if (!invalid) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("not UTF-8 at byte ", *invalid + 1));
}

Console WithInput(const Console& console, std::istream& in) {
  return {.in = in,
          .out = console.out,
          .err = console.err,
          .out_is_terminal = console.out_is_terminal,
          .err_is_terminal = console.err_is_terminal,
          .columns = console.columns,
          .stop = console.stop,
          .out_closed = console.out_closed};
}

bool FailsEveryLine(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return true;
    default:
      return false;
  }
}

int FailTexts(Console& console, const ServerFlags& server, grpc::Channel& channel, const grpc::Status& status) {
  // With a message it is the model that cannot do it; without one the server does not know the call.
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && !status.error_message().empty() &&
      !console.stop.stop_requested()) {
    return Fail(console, kExitUsage, StatusText(status));
  }
  return FailCall(console, server, channel, status);
}

LineReport::LineReport(const TextCommandFlags& flags, int64_t input_bytes, bool typed, Console& console)
    : flags_(flags),
      console_(console),
      bar_(console.err_is_terminal && !console.out_is_terminal && !typed ? &console.err : nullptr, console.columns,
           std::chrono::steady_clock::now()) {
  progress_.total_bytes = input_bytes;
}

void LineReport::Count(int64_t source_bytes) {
  ++progress_.lines;
  console_.out << std::flush;
  progress_.bytes += source_bytes + 1;
  bar_.Update(progress_, std::chrono::steady_clock::now());
}

void LineReport::PrintFailure(const grpc::Status& status, int64_t source_bytes) {
  failed_ = true;
  bar_.Clear();
  const int64_t number = progress_.lines + 1;
  console_.out << (flags_.json ? ErrorJson(number, status) : "") << "\n";
  Count(source_bytes);
  Note(console_, absl::StrCat("line ", number, ": ", StatusText(status)));
}

void LineReport::PrintOutage(const grpc::Status& status) {
  bar_.Clear();
  NoteWaiting(console_, flags_.server.address, status);
}

int LineReport::End(const std::istream& in, grpc::Channel& channel, const grpc::Status& lost) {
  bar_.Clear();
  if (console_.stop.stop_requested()) {
    return Fail(console_, kExitInterrupted, absl::StrCat("interrupted after ", lines(), " lines"));
  }
  if (!console_.out) return FailOutput(console_);
  if (lost.error_code() == grpc::StatusCode::UNAVAILABLE && lines() > 0) {
    return Fail(console_, kExitUnavailable,
                absl::StrCat("the server at ", flags_.server.address, " went away at line ", lines() + 1,
                             "; the lines before it are printed (", StatusText(lost), ")"));
  }
  if (!lost.ok()) return FailTexts(console_, flags_.server, channel, lost);
  if (in.bad()) return Fail(console_, kExitUsage, absl::StrCat("cannot read the input after line ", lines()));
  return failed_ ? kExitFailed : kExitOk;
}

}  // namespace heed::client
