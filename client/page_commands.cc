// SPDX-License-Identifier: Apache-2.0
// heed completion and heed man: the table of commands, and each one's flags, for shells and for man.
#include "absl/strings/str_cat.h"
#include "base/flags/man_page.h"
#include "base/flags/shell_completion.h"
#include "base/version.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/command_table.h"

namespace heed::client {
namespace {

CommandHelp CompletionHelp() {
  return {"heed completion bash|zsh",
          "Prints a script with which the shell completes heed's commands, flags and the values that it knows.",
          "Exit codes:\n"
          "  0    the script is printed\n"
          "  2    wrong arguments\n"
          "\n"
          "Examples:\n"
          "  eval \"$(heed completion bash)\"                  # in this shell; in ~/.bashrc: in every one\n"
          "  heed completion bash > /etc/bash_completion.d/heed\n"
          "  heed completion zsh > ~/.zfunc/_heed             # with ~/.zfunc on $fpath\n"};
}

CommandHelp ManHelp() {
  return {"heed man", "Prints the manual page of heed and all its commands, in troff.",
          "Exit codes:\n"
          "  0    the page is printed\n"
          "  2    wrong arguments\n"
          "\n"
          "Examples:\n"
          "  heed man | man -l -\n"};
}

}  // namespace

int CompletionCommand(const std::vector<std::string>& arguments, Console& console) {
  FlagTable flags;
  std::vector<std::string> shells;
  if (const auto code = ParseCommand(CompletionHelp(), flags, arguments, 1, shells, console)) return *code;
  if (shells.empty()) return Fail(console, kExitUsage, "heed completion needs the name of a shell: bash or zsh");
  if (shells[0] != "bash" && shells[0] != "zsh") {
    return Fail(console, kExitUsage,
                absl::StrCat("there is no completion for '", shells[0], "', only for bash and zsh"));
  }
  console.out << (shells[0] == "bash" ? BashCompletion(HeedProgram()) : ZshCompletion(HeedProgram()));
  return kExitOk;
}

int ManCommand(const std::vector<std::string>& arguments, Console& console) {
  FlagTable flags;
  std::vector<std::string> others;
  if (const auto code = ParseCommand(ManHelp(), flags, arguments, 0, others, console)) return *code;
  console.out << ManPage(HeedProgram(), kHeedVersion, "heed-server");
  return kExitOk;
}

}  // namespace heed::client
