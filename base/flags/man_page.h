// SPDX-License-Identifier: Apache-2.0
// A manual page in troff, made of a program's help.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "base/flags/command_page.h"

namespace heed {

// The page PROGRAM(1). Flags that every command has are in a section of their own. `version` is in its footer, and
// `see_also` names another page, as "heed-server".
std::string ManPage(const ProgramPage& program, absl::string_view version, absl::string_view see_also);

}  // namespace heed
