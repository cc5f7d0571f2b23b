// SPDX-License-Identifier: Apache-2.0
// The console of this process, for a program's main(): standard streams, terminal, signals.
#pragma once

#include <string>
#include <vector>

#include "client/cli/console.h"

namespace heed::client {

using CommandFunction = int (*)(const std::vector<std::string>& arguments, Console& console);

// Runs `command` with the arguments of main(), without the program's name, and returns what it returns. The first
// interrupt (Ctrl-C, SIGTERM) asks it to end by console.stop. A second one ends the process at once with
// kExitInterrupted, after `before_exit` if there is one, which puts the terminal back. Call once, before other threads
// start.
int RunInProcess(int argc, char** argv, CommandFunction command, void (*before_exit)() = nullptr);

}  // namespace heed::client
