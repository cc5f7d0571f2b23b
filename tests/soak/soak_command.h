// SPDX-License-Identifier: Apache-2.0
// heed-soak: a mixed load on all models of a server for a long time. Are the answers right, and does its memory grow?
#pragma once

#include <string>
#include <vector>

#include "client/cli/console.h"

namespace heed::client {

// As a command of heed (client/cli/commands.h): returns an ExitCode.
int SoakCommand(const std::vector<std::string>& arguments, Console& console);

}  // namespace heed::client
