// SPDX-License-Identifier: Apache-2.0
// The command line of heed-server.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/flags/command_page.h"
#include "base/flags/flag_table.h"
#include "server/options/server_options.h"

namespace heed {

// Adds a flag for every option of `options`, which must outlive `flags`.
void AddServerFlags(ServerOptions& options, FlagTable& flags);

// `options` with the limits of the model `name` in place of the general ones. `options` are ParseCommandLine's.
ServerOptions OptionsOf(absl::string_view name, const ServerOptions& options);

// The text of --help: every flag with its unit and default.
std::string HelpText();
// Everything that --help, --man and --completion say.
ProgramPage ServerPage();

struct CommandLine {
  // kPrint: print `text` and exit.
  enum class Action { kServe, kPrint };
  Action action = Action::kServe;
  std::string text;
  ServerOptions options;
};

// `arguments` without the program's name, and the file that --config names. INVALID_ARGUMENT names the flag: unknown
// (and the nearest one's name), without a value, out of range, given twice, without the one that it belongs to, or not
// a flag at all.
absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const absl::string_view> arguments);

}  // namespace heed
