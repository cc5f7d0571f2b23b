// SPDX-License-Identifier: Apache-2.0
#include "client/cli/command_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"
#include "client/cli/line_editor.h"

namespace heed::client {

CommandInput::CommandInput(Console& console)
    : console_(console), stream_(console.in.rdbuf()), bytes_(console.in_bytes), typed_(console.in_is_terminal) {
  if (typed_ && console.editor != nullptr) stream_.rdbuf(console.editor);
}

CommandInput::~CommandInput() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::optional<int> CommandInput::Open(const std::string& path) {
  if (path.empty() || path == "-") return std::nullopt;
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    return Fail(console_, kExitUsage, absl::StrCat("cannot read '", path, "': ", std::strerror(errno)));
  }
  file_.emplace(descriptor_, console_.stop);
  stream_.rdbuf(&*file_);
  name_ = path;
  bytes_ = file_->size();
  typed_ = false;
  return std::nullopt;
}

absl::Status CheckNotCompressed(const std::string& first_line, const std::string& name, const std::string& command) {
  if (!absl::StartsWith(first_line, "\x1f\x8b")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is gzip-compressed: unpack it first, as in `gunzip -c FILE | ", command, "`"));
}

absl::Status CheckText(const std::string& line, int64_t number, const std::string& name, const std::string& command) {
  if (number == 1) HEED_RETURN_IF_ERROR(CheckNotCompressed(line, name, command));
  if (const auto invalid = FirstInvalidUtf8(line)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ", line ", number, ": not UTF-8 at byte ", *invalid + 1));
  }
  return absl::OkStatus();
}

bool ReadLine(std::istream& in, std::string& line) {
  if (!std::getline(in, line)) return false;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

}  // namespace heed::client
