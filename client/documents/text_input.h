// SPDX-License-Identifier: Apache-2.0
// The text of a document as it is read: checked to be UTF-8, and counted in lines.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed::client {

// Borrows the stream. Every error is INVALID_ARGUMENT, names the file and the line, and says what to do: text that is
// not UTF-8 (UTF-16 and Latin-1 are named, with the command that converts them), compressed, or no text at all; a line
// that is too long. DATA_LOSS: the stream broke. Not thread-safe.
class TextInput {
 public:
  static constexpr size_t kMaxLineBytes = size_t{16} << 20;
  static constexpr size_t kMaxDocumentBytes = size_t{256} << 20;  // of formats that are read as a whole

  // `name` is for messages.
  TextInput(std::istream& in, std::string name) : in_(in), name_(std::move(name)) {}

  // The next line with its end ("\n" or "\r\n"; the last one may have none). None: the text has ended. A byte order
  // mark is not part of the first line: see `mark`.
  absl::StatusOr<std::optional<std::string>> Line(size_t max_bytes = kMaxLineBytes);
  // Everything that is left, at most kMaxDocumentBytes.
  absl::StatusOr<std::string> Rest();
  // The byte order mark, if the text begins with one. Filled by the first call of the above.
  const std::string& mark() const { return mark_; }

  // Of the last line that was read, from 1.
  int64_t line() const { return line_; }
  const std::string& name() const { return name_; }
  // INVALID_ARGUMENT: "news.srt, line 12: message".
  absl::Status Error(int64_t line, absl::string_view message) const;
  absl::Status Error(absl::string_view message) const { return Error(line_, message); }

 private:
  absl::Status Begin();
  absl::Status CheckBytes(absl::string_view text, int64_t first_line) const;

  std::istream& in_;
  const std::string name_;
  std::string mark_;
  std::string pending_;  // read, and not yet part of a line
  bool begun_ = false;
  int64_t line_ = 0;
};

// The bytes of a line without its end, and the end.
absl::string_view WithoutLineEnd(absl::string_view line);
absl::string_view LineEnd(absl::string_view line);

}  // namespace heed::client
