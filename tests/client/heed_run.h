// Runs `heed` within the test's process.
#pragma once

#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include "client/commands.h"

namespace heed::client {

struct HeedRun {
  int code = 0;
  std::string out;
  std::string err;
};

inline HeedRun RunHeedWith(const std::vector<std::string>& arguments, const std::string& input = "",
                           std::stop_token stop = {}) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err, .stop = std::move(stop)};
  const int code = RunHeed(arguments, console);
  return {code, out.str(), err.str()};
}

}  // namespace heed::client
