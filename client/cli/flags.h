// A command's flags as one table, which both parses the arguments and writes the help text, so that the two agree.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed::client {

// Every Add* borrows its target, which must outlive Parse() and holds the default before it. A flag is written
// `--name=value` or `--name value`, a bool `--name` or `--name=value`; a value that begins with `--` stands behind `=`.
// `-` and `_` in names are the same; the last of a repeated flag counts, apart from AddEach; `--` ends the flags.
// Errors are INVALID_ARGUMENT, name the flag and quote the value; an unknown flag gets the nearest one's name. Not
// thread-safe.
class FlagTable {
 public:
  static constexpr double kNoLimit = std::numeric_limits<double>::infinity();

  // Starts a group of flags in the help text.
  void AddSection(std::string title);
  void AddBool(std::string name, bool* target, std::string help);
  void AddString(std::string name, std::string* target, std::string placeholder, std::string help);
  // None: the flag was not given; it may be given empty.
  void AddString(std::string name, std::optional<std::string>* target, std::string placeholder, std::string help);
  void AddInt(std::string name, int* target, int64_t least, int64_t most, std::string help);
  void AddDouble(std::string name, double* target, double least, double most, std::string placeholder,
                 std::string help);
  // Numbers without a default of our own: the help text says what an absent one means.
  void AddInt(std::string name, std::optional<int>* target, int64_t least, int64_t most, std::string help);
  void AddDouble(std::string name, std::optional<double>* target, double least, double most, std::string help);
  void AddUint64(std::string name, std::optional<uint64_t>* target, std::string help);
  // One of `choices`; empty by default.
  void AddChoice(std::string name, std::string* target, std::vector<std::string> choices, std::string help);
  // Numbers between commas.
  void AddIntList(std::string name, std::vector<int>* target, int64_t least, int64_t most, std::string help);

  // Appends the flag's name and value each time. Flags may share a target, which then has them in the arguments' order.
  void AddEach(std::string name, std::vector<std::pair<std::string, std::string>>* target, std::string placeholder,
               std::string help);

  // Sets the targets and returns the arguments that are no flags, in order. The flag `--help` (`-h`) is always there:
  // it ends the parsing, see help_wanted().
  absl::StatusOr<std::vector<std::string>> Parse(const std::vector<std::string>& arguments);
  bool help_wanted() const { return help_wanted_; }

  // One entry for each flag, wrapped at 100 columns, with the defaults the targets had when they were added.
  std::string Help() const;

 private:
  struct Flag {
    std::string name;         // empty: the title of a section, in `help`
    std::string placeholder;  // empty: a bool
    std::string help;
    std::string default_text;
    std::function<absl::Status(const std::string&)> set;  // the message leaves out the flag's name
  };

  const Flag* Find(const std::string& name) const;
  // "; did you mean --beam?", or nothing.
  std::string Nearest(absl::string_view shown) const;

  std::vector<Flag> flags_;
  bool help_wanted_ = false;
};

}  // namespace heed::client
