// SPDX-License-Identifier: Apache-2.0
// Runs `heed`, or one command, within the test's process.
#pragma once

#include <sstream>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/process_console.h"
#include "nlohmann/json.hpp"

namespace heed::client {

struct HeedRun {
  int code = 0;
  std::string out;
  std::string err;
};

inline HeedRun RunCommandWith(CommandFunction command, const std::vector<std::string>& arguments,
                              const std::string& input = "", std::stop_token stop = {}) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err, .stop = std::move(stop)};
  const int code = command(arguments, console);
  return {code, out.str(), err.str()};
}

inline HeedRun RunHeedWith(const std::vector<std::string>& arguments, const std::string& input = "",
                           std::stop_token stop = {}) {
  return RunCommandWith(RunHeed, arguments, input, std::move(stop));
}

// The objects of an output of one on each line.
inline std::vector<nlohmann::json> JsonLines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  for (const auto line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    lines.push_back(nlohmann::json::parse(std::string(line)));
  }
  return lines;
}

}  // namespace heed::client
