// SPDX-License-Identifier: Apache-2.0
// What a person reads about a program, as data: help texts, man pages, tables and completion are made of it.
#pragma once

#include <string>
#include <vector>

namespace heed {

struct FlagInfo {
  std::string name;                  // "max_batch_rows"
  std::string unit;                  // "ROWS"; empty: a bool, which needs no value
  std::string help;                  // sentences
  std::string default_value;         // empty: none
  std::vector<std::string> choices;  // the only values that it takes; empty: others
  std::string section;               // the title of its group; empty: it has none
  bool common = false;               // every command has it: its group comes last
  bool action = false;               // prints something instead of running, and takes no value
  char letter = '\0';                // the short name of an action
  bool configurable = true;          // a configuration file may set it
  std::string environment;           // the variable that may hold its default; empty: none may
};

struct CommandPage {
  std::string name;         // "heed classify nodes"
  std::string summary;      // a line: "classify nodes of a graph"
  std::string synopsis;     // "heed classify nodes (--graph=FILE | --stored=NAME) [flags]"
  std::string description;  // paragraphs, with an empty line between them; indented lines stay as they are
  std::vector<FlagInfo> flags;
  std::string after_flags;  // "Title:" and indented lines, which stay as they are
};

struct ProgramPage {
  CommandPage program;
  std::vector<CommandPage> commands;  // in the order of the help text
};

}  // namespace heed
