// SPDX-License-Identifier: Apache-2.0
#include "base/flags/shell_completion.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/flags/help_text.h"

namespace heed {
namespace {

using Words = std::vector<std::string>;

// The words of a command's name after the program's; none for a program without commands.
Words WordsOf(const ProgramPage& program, const CommandPage& page) {
  absl::string_view name = page.name;
  absl::ConsumePrefix(&name, program.program.name);
  return absl::StrSplit(name, ' ', absl::SkipEmpty());
}

// The commands, or the program itself.
std::vector<CommandPage> Pages(const ProgramPage& program) {
  return program.commands.empty() ? std::vector<CommandPage>{program.program} : program.commands;
}

bool IsShown(const FlagInfo& flag) { return !flag.help.empty() || flag.name == "help"; }

// What may be the first word, and what may follow each.
std::vector<std::pair<std::string, Words>> Tree(const ProgramPage& program) {
  std::vector<std::pair<std::string, Words>> tree;
  if (program.commands.empty()) return tree;
  Words all = {"help", "version"};
  tree = {{"help", {}}, {"version", {}}};
  for (const CommandPage& page : program.commands) {
    const Words words = WordsOf(program, page);
    auto entry = std::find_if(tree.begin(), tree.end(), [&](const auto& known) { return known.first == words[0]; });
    if (entry == tree.end()) {
      entry = tree.insert(entry, {words[0], {}});
      all.push_back(words[0]);
    }
    if (words.size() > 1) entry->second.push_back(words[1]);
    if (words[0] == "completion") entry->second = {"bash", "zsh"};
  }
  tree[0].second = all;
  return tree;
}

constexpr char kBash[] = R"(# Completion of @PROGRAM@'s flags in bash, written by @PROGRAM@ itself.
@FUNCTION@() {
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
  case "${words[*]}" in
@FLAGS@  esac
  case "${words[*]}:${before//-/_}" in
@VALUES@    *) ;;
  esac
  if [[ -n $values && $current != -* ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  elif ((COMP_CWORD == 1)); then
    next="@FIRST@"
  elif ((COMP_CWORD == 2)); then
    case "${words[0]}" in
@SECOND@      *) ;;
    esac
  fi
  [[ -n $next ]] && COMPREPLY=($(compgen -W "$next" -- "$current"))
  return 0
}
complete -o default -F @FUNCTION@ @PROGRAM@
)";

constexpr char kZsh[] = R"(#compdef @PROGRAM@
# Completion of @PROGRAM@'s flags in zsh, written by @PROGRAM@ itself.
@FUNCTION@() {
@COMMANDS@  case "${words[2]} ${words[3]}" in
@CASES@  esac
}
if [[ ${funcstack[1]} == @FUNCTION@ ]]; then
  @FUNCTION@ "$@"
else
  compdef @FUNCTION@ @PROGRAM@
fi
)";

constexpr char kZshCommands[] = R"(  if ((CURRENT == 2)); then
    local -a first=(@FIRST@)
    _describe command first
    return
  fi
  if ((CURRENT == 3)) && [[ ${words[3]} != -* ]]; then
    local -a second=()
    case ${words[2]} in
@SECOND@      *) ;;
    esac
    if (( ${#second} )); then
      compadd -a second
      return
    fi
  fi
)";

std::string FunctionName(const ProgramPage& program) {
  return absl::StrCat("_", absl::StrReplaceAll(program.program.name, {{"-", "_"}}));
}

// The first sentence, in a quoted argument of _arguments or _describe.
std::string ZshText(absl::string_view text) {
  const size_t end = text.find(". ");
  if (end != text.npos) text = text.substr(0, end);
  return absl::StrReplaceAll(absl::StripSuffix(text, "."),
                             {{"'", "'\\''"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}, {"\\", "\\\\"}});
}

// The argument of _arguments for a flag: '*--beam=[Beam size]:N:'.
std::string ZshFlag(const FlagInfo& flag) {
  const std::string text = flag.help.empty() ? "Show the help" : ZshText(flag.help);
  const std::string head = absl::StrCat("'*--", flag.name, flag.unit.empty() ? "" : "=", "[", text, "]");
  if (flag.unit.empty()) return absl::StrCat(head, "'");
  const bool path = absl::StrContains(flag.unit, "FILE") || absl::StrContains(flag.unit, "DIR");
  const std::string values =
      flag.choices.empty() ? (path ? "_files" : "") : absl::StrCat("(", absl::StrJoin(flag.choices, " "), ")");
  return absl::StrCat(head, ":", ZshText(absl::StrReplaceAll(flag.unit, {{"|", " or "}})), ":", values, "'");
}

}  // namespace

std::string BashCompletion(const ProgramPage& program) {
  std::string flags_cases;
  std::string values_cases;
  for (const CommandPage& page : Pages(program)) {
    const std::string pattern = absl::StrCat("    \"", absl::StrJoin(WordsOf(program, page), " "), "\"*");
    Words names;
    for (const FlagInfo& flag : page.flags) {
      if (!IsShown(flag)) continue;
      names.push_back(absl::StrCat("--", flag.name, flag.unit.empty() ? "" : "="));
      if (flag.choices.empty()) continue;
      absl::StrAppend(&values_cases, pattern, ":__", flag.name, ") values=\"", absl::StrJoin(flag.choices, " "),
                      "\" ;;\n");
    }
    absl::StrAppend(&flags_cases, pattern, ") flags=\"", absl::StrJoin(names, " "), "\" ;;\n");
  }
  std::string second_cases;
  Words first;
  for (const auto& [word, seconds] : Tree(program)) {
    first.push_back(word);
    if (seconds.empty()) continue;
    absl::StrAppend(&second_cases, "      ", word, ") next=\"", absl::StrJoin(seconds, " "), "\" ;;\n");
  }
  return absl::StrReplaceAll(kBash, {{"@PROGRAM@", program.program.name},
                                     {"@FUNCTION@", FunctionName(program)},
                                     {"@FLAGS@", flags_cases},
                                     {"@VALUES@", values_cases},
                                     {"@FIRST@", absl::StrJoin(first, " ")},
                                     {"@SECOND@", second_cases}});
}

std::string ZshCompletion(const ProgramPage& program) {
  std::string cases;
  for (const CommandPage& page : Pages(program)) {
    const Words words = WordsOf(program, page);
    Words flags;
    for (const FlagInfo& flag : page.flags) {
      if (IsShown(flag)) flags.push_back(ZshFlag(flag));
    }
    // Of "models" and "models load" the longer name comes first, as in the table of commands.
    absl::StrAppend(&cases, "    \"", absl::StrJoin(words, " "), words.size() == 1 ? " \"*" : "\"*", ")\n",
                    words.empty() ? "" : absl::StrCat("      shift ", words.size(), " words\n"),
                    words.empty() ? "" : absl::StrCat("      (( CURRENT -= ", words.size(), " ))\n"),
                    "      _arguments \\\n        ", absl::StrJoin(flags, " \\\n        "),
                    words.empty() ? "" : " \\\n        '*:file:_files'", "\n      ;;\n");
  }
  std::string commands;
  if (!program.commands.empty()) {
    Words first;
    std::string second;
    for (const auto& [word, seconds] : Tree(program)) {
      first.push_back(word);
      if (!seconds.empty())
        absl::StrAppend(&second, "      ", word, ") second=(", absl::StrJoin(seconds, " "), ") ;;\n");
    }
    commands = absl::StrReplaceAll(kZshCommands, {{"@FIRST@", absl::StrJoin(first, " ")}, {"@SECOND@", second}});
  }
  return absl::StrReplaceAll(kZsh, {{"@PROGRAM@", program.program.name},
                                    {"@FUNCTION@", FunctionName(program)},
                                    {"@COMMANDS@", commands},
                                    {"@CASES@", cases}});
}

}  // namespace heed
