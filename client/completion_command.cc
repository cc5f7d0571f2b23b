// heed completion: the table of commands, and each one's flags, as a script for the shell.
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/command_table.h"

namespace heed::client {
namespace {

CommandHelp Help() {
  return {"heed completion bash",
          "Prints a script with which bash completes heed's commands, flags and the values that it knows.",
          "Exit codes:\n"
          "  0    the script is printed\n"
          "  2    wrong arguments\n"
          "\n"
          "Examples:\n"
          "  eval \"$(heed completion bash)\"                  # in this shell; in ~/.bashrc: in every one\n"
          "  heed completion bash > /etc/bash_completion.d/heed\n"};
}

struct CompletedFlag {
  std::string name;                 // "--beam"
  bool takes_value = false;         // and not nothing
  std::vector<std::string> values;  // where there are only some
};

// As the command's own help lists them.
std::vector<CompletedFlag> FlagsOf(const Command& command) {
  std::istringstream in;
  std::ostringstream help;
  Console console{.in = in, .out = help, .err = help};
  command.run({"--help"}, console);
  std::vector<CompletedFlag> flags = {{.name = "--help"}};
  for (absl::string_view line : absl::StrSplit(help.str(), '\n')) {
    if (!absl::ConsumePrefix(&line, "  --")) continue;
    const absl::string_view shown = line.substr(0, line.find(' '));
    const size_t equals = shown.find('=');
    CompletedFlag& flag = flags.emplace_back();
    flag.name = absl::StrCat("--", shown.substr(0, equals));
    flag.takes_value = equals != shown.npos;
    if (!flag.takes_value) continue;
    const absl::string_view value = shown.substr(equals + 1);
    // heuristic|first|never lists values; FILE and ID,ID,...|@FILE are placeholders.
    const bool all = absl::StrContains(value, '|') && value.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == value.npos;
    if (all) flag.values = absl::StrSplit(value, '|');
  }
  return flags;
}

constexpr char kScript[] = R"(# Completion of heed's commands and flags in bash, written by `heed completion bash`.
_heed() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} i words=() flags= values= next=
  # Where '=' breaks words it is one itself.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    [[ ${COMP_WORDS[i]} == -* ]] && break
    words+=("${COMP_WORDS[i]}")
  done
  case ${words[*]} in
@FLAGS@  esac
  case ${words[*]}:$before in
@VALUES@  esac
  if [[ -n $values && $current != -* ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  elif ((COMP_CWORD == 1)); then
    next="@FIRST@"
  elif ((COMP_CWORD == 2)); then
    case ${words[0]} in
@SECOND@    esac
  fi
  [[ -n $next ]] && COMPREPLY=($(compgen -W "$next" -- "$current"))
  return 0
}
complete -o default -F _heed heed
)";

std::string BashScript() {
  std::string flags_cases;
  std::string values_cases;
  std::string second_cases;
  std::vector<std::string> first = {"help", "version"};
  for (const Command& command : Commands()) {
    std::vector<std::string> names;
    for (const CompletedFlag& flag : FlagsOf(command)) {
      names.push_back(absl::StrCat(flag.name, flag.takes_value ? "=" : ""));
      if (flag.values.empty()) continue;
      absl::StrAppend(&values_cases, "    \"", command.name, "\"*:", flag.name, ") values=\"",
                      absl::StrJoin(flag.values, " "), "\" ;;\n");
    }
    absl::StrAppend(&flags_cases, "    \"", command.name, "\"*) flags=\"", absl::StrJoin(names, " "), "\" ;;\n");
    const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
    if (first.back() != words[0]) first.push_back(words[0]);
  }
  for (const std::string& word : first) {
    std::vector<std::string> seconds;
    for (const Command& command : Commands()) {
      absl::string_view name = command.name;
      if (absl::ConsumePrefix(&name, word + " ")) seconds.emplace_back(name);
    }
    if (!seconds.empty()) {
      absl::StrAppend(&second_cases, "      ", word, ") next=\"", absl::StrJoin(seconds, " "), "\" ;;\n");
    }
  }
  const std::string all = absl::StrJoin(first, " ");
  absl::StrAppend(&second_cases, "      help) next=\"", all, "\" ;;\n      completion) next=bash ;;\n");
  return absl::StrReplaceAll(
      kScript, {{"@FLAGS@", flags_cases}, {"@VALUES@", values_cases}, {"@FIRST@", all}, {"@SECOND@", second_cases}});
}

}  // namespace

int CompletionCommand(const std::vector<std::string>& arguments, Console& console) {
  FlagTable flags;
  std::vector<std::string> shells;
  if (const auto code = ParseCommand(Help(), flags, arguments, 1, shells, console)) return *code;
  if (shells.empty()) return Fail(console, kExitUsage, "heed completion needs the name of a shell: bash");
  if (shells[0] != "bash") {
    return Fail(console, kExitUsage, absl::StrCat("there is no completion for '", shells[0], "', only for bash"));
  }
  console.out << BashScript();
  return kExitOk;
}

}  // namespace heed::client
