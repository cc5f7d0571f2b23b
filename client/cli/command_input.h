// SPDX-License-Identifier: Apache-2.0
// What a command reads: a file, or its standard input.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/console.h"
#include "client/cli/interruptible_input.h"

namespace heed::client {

// Open until destroyed; the user's interrupt ends reading. What a person types comes through the console's editor, if
// it has one. Borrows the console. Not thread-safe.
class CommandInput {
 public:
  explicit CommandInput(Console& console);
  ~CommandInput();
  CommandInput(const CommandInput&) = delete;
  CommandInput& operator=(const CommandInput&) = delete;

  // Reads from `path`; empty or "-": from console.in, as without Open. An exit code after a message on console.err, or
  // none.
  std::optional<int> Open(const std::string& path);

  std::istream& stream() { return stream_; }
  const std::string& name() const { return name_; }  // of the file, or "standard input"
  int64_t bytes() const { return bytes_; }           // -1: unknown
  bool typed() const { return typed_; }              // by a person, on a terminal

 private:
  Console& console_;
  int descriptor_ = -1;
  std::optional<InterruptibleInput> file_;
  std::istream stream_;
  std::string name_ = "standard input";
  int64_t bytes_;
  bool typed_;
};

// INVALID_ARGUMENT: the first line of the text `name` is that of a compressed file; `command` reads it unpacked.
absl::Status CheckNotCompressed(const std::string& first_line, const std::string& name, const std::string& command);
// OK, or INVALID_ARGUMENT: the line, `number` of the text `name` from 1, is none of a text: the text is compressed
// (`command` reads it unpacked), or not UTF-8.
absl::Status CheckText(const std::string& line, int64_t number, const std::string& name, const std::string& command);

// The next line without its end, "\n" or "\r\n". False: there is none.
bool ReadLine(std::istream& in, std::string& line);

}  // namespace heed::client
