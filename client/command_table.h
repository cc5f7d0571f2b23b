// SPDX-License-Identifier: Apache-2.0
// The table of heed's commands.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/flags/command_page.h"
#include "client/cli/console.h"

namespace heed::client {

struct Command {
  const char* name;  // one or two words
  const char* summary;
  int (*run)(const std::vector<std::string>& arguments, Console& console);
};

// In the order of the help text. Of two names that begin alike the longer one comes first.
const std::array<Command, 38>& Commands();

// The texts about heed itself, and about every command: its completion and its manual page are made of them.
CommandPage HeedPage();
ProgramPage HeedProgram();

}  // namespace heed::client
