// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/flags/help_text.h"
#include "base/nearest_name.h"
#include "base/version.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/command_table.h"

namespace heed::client {
namespace {

using Words = std::vector<std::string>;

// Lists all commands, or those that begin with the word `group`.
std::string Usage(const std::string& group = "") {
  const CommandPage page = HeedPage();
  std::string out = absl::StrCat("Usage: heed ", group, group.empty() ? "" : " ", "COMMAND [flags]\n\n",
                                 page.description, "\n\nCommands:\n");
  for (const Command& command : Commands()) {
    if (group.empty() || absl::StartsWith(command.name, group + " ")) {
      absl::StrAppendFormat(&out, "  %-16s  %s\n", command.name, command.summary);
    }
  }
  return absl::StrCat(out,
                      "\n"
                      "heed COMMAND --help    show a command's flags, exit codes and examples (or: heed help COMMAND)\n"
                      "heed --version         show the version of this program (or: heed version, heed -v)\n"
                      "\n",
                      page.after_flags);
}

// The number of arguments that name the command: 0 if they do not.
size_t Matches(const Command& command, const Words& arguments) {
  const Words words = absl::StrSplit(command.name, ' ');
  if (arguments.size() < words.size()) return 0;
  return std::equal(words.begin(), words.end(), arguments.begin()) ? words.size() : 0;
}

// What may follow the word in the name of a command.
Words SecondWords(const std::string& word) {
  Words words;
  for (const Command& command : Commands()) {
    absl::string_view name = command.name;
    if (absl::ConsumePrefix(&name, word + " ")) words.emplace_back(name);
  }
  return words;
}

bool IsHelp(const std::string& word) { return word == "--help" || word == "-h" || word == "help"; }

bool IsVersion(const std::string& word) { return word == "--version" || word == "-v" || word == "version"; }

int FailUnknown(const Words& arguments, Console& console) {
  // Flags, and what follows them, are no part of a name.
  const auto flag = std::find_if(arguments.begin(), arguments.end(),
                                 [](const std::string& argument) { return absl::StartsWith(argument, "-"); });
  const Words typed(arguments.begin(), flag == arguments.begin() ? std::next(flag) : flag);
  if (const Words seconds = SecondWords(typed[0]); !seconds.empty()) {
    const std::string list =
        absl::StrCat("there are: ", typed[0], " ", absl::StrJoin(seconds, absl::StrCat(", ", typed[0], " ")));
    if (typed.size() == 1) {
      return Fail(console, kExitUsage, absl::StrCat("'", typed[0], "' is half a command; ", list));
    }
    const std::string meant = DidYouMean(typed[1], seconds, absl::StrCat("heed ", typed[0], " "));
    return Fail(console, kExitUsage,
                absl::StrCat("unknown command '", typed[0], " ", typed[1], "'", meant.empty() ? "; " + list : meant,
                             "\nSee heed --help."));
  }
  // What was meant may be the first word of a command, or both.
  Words names = {"help", "version"};
  std::set<std::string> first_words;
  for (const Command& command : Commands()) {
    names.emplace_back(command.name);
    first_words.insert(Words(absl::StrSplit(command.name, ' '))[0]);
  }
  std::string meant = typed.size() > 1 ? DidYouMean(absl::StrCat(typed[0], " ", typed[1]), names, "heed ") : "";
  if (meant.empty()) {
    names.insert(names.end(), first_words.begin(), first_words.end());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    meant = DidYouMean(typed[0], names, "heed ");
  }
  return Fail(console, kExitUsage,
              absl::StrCat("unknown command '", typed[0], "'", meant, "\nSee heed --help for all commands."));
}

int Dispatch(const Words& arguments, Console& console);

// The help text of a command, of a group of commands, or of all commands.
int Help(const Words& named, Console& console) {
  if (named.empty() || absl::StartsWith(named[0], "-")) {
    console.out << Usage();
    return kExitOk;
  }
  for (const Command& command : Commands()) {
    if (Matches(command, named) > 0) return command.run({"--help"}, console);
  }
  if (named.size() == 1 && !SecondWords(named[0]).empty()) {
    console.out << Usage(named[0]);
    return kExitOk;
  }
  return FailUnknown(named, console);
}

int Dispatch(const Words& arguments, Console& console) {
  if (arguments.empty()) {
    console.err << Usage() << std::flush;
    return kExitUsage;
  }
  const auto rest = [&](size_t count) {
    return Words(arguments.begin() + static_cast<std::ptrdiff_t>(count), arguments.end());
  };
  for (const Command& command : Commands()) {
    const size_t words = Matches(command, arguments);
    if (words == 0) continue;
    // "models laod x" is no argument of "models".
    if (words == 1 && arguments.size() > 1 && !NearestName(arguments[1], SecondWords(arguments[0])).empty()) {
      return FailUnknown(arguments, console);
    }
    return command.run(rest(words), console);
  }
  if (IsHelp(arguments[0])) return Help(rest(1), console);
  if (arguments[0] == "--help_markdown") {
    console.out << MarkdownTable(HeedProgram().commands[0].flags, /*common=*/true);
    return kExitOk;
  }
  if (IsVersion(arguments[0])) {
    console.out << "heed " << kHeedVersion << "\n";
    return kExitOk;
  }
  if (arguments.size() > 1 && IsHelp(arguments[1]) && !SecondWords(arguments[0]).empty())
    return Help({arguments[0]}, console);
  return FailUnknown(arguments, console);
}

}  // namespace

int RunHeed(const std::vector<std::string>& arguments, Console& console) {
  const int code = Dispatch(arguments, console);
  console.out << std::flush;
  return console.out || code != kExitOk ? code : FailOutput(console);
}

}  // namespace heed::client
