// The table of heed's commands.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "client/cli/console.h"

namespace heed::client {

struct Command {
  const char* name;  // one or two words
  const char* summary;
  int (*run)(const std::vector<std::string>& arguments, Console& console);
};

// In the order of the help text. Of two names that begin alike the longer one comes first.
const std::array<Command, 21>& Commands();

}  // namespace heed::client
