// SPDX-License-Identifier: Apache-2.0
// Scripts with which a shell completes a program's commands, flags and values.
#pragma once

#include <string>

#include "base/flags/command_page.h"

namespace heed {

// For bash 4 and later. `eval` it, or put it into /etc/bash_completion.d.
std::string BashCompletion(const ProgramPage& program);

// For zsh 5 and later: a file _PROGRAM on $fpath.
std::string ZshCompletion(const ProgramPage& program);

}  // namespace heed
