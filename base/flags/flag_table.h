// SPDX-License-Identifier: Apache-2.0
// A program's flags as one table. It parses the arguments, the environment and a configuration file, and every page
// about the flags is made of it, so that they agree. CLI11 reads arguments and files; only flag_table.cc includes it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/flags/command_page.h"

namespace heed {

// Every Add* borrows its target, which must outlive the table and holds the default before it. It returns the flag's
// description, which may be changed until the next Add*.
//
// A flag is written `--name=value` or `--name value`, a bool `--name` or `--name=value`. A value that begins with `--`
// is written after `=`. `-` and `_` in names are the same, and `--` ends the flags. Errors are INVALID_ARGUMENT, name
// the flag and quote the value; for an unknown flag they name the nearest one. Not thread-safe.
class FlagTable {
 public:
  enum class Repeated { kLastCounts, kRefused };
  static constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  static constexpr int64_t kNoMaximum = std::numeric_limits<int64_t>::max();
  // The message says what the value must be: "must be one of a, b".
  using Check = std::function<absl::Status(absl::string_view value)>;

  explicit FlagTable(Repeated repeated = Repeated::kLastCounts);

  // The flags that follow belong to the section `title`. Returns the title of the section before.
  std::string AddSection(std::string title, bool common = false);

  FlagInfo& AddBool(std::string name, bool* target, std::string help);
  FlagInfo& AddString(std::string name, std::string* target, std::string unit, std::string help);
  FlagInfo& AddString(std::string name, std::string* target, std::string unit, Check check, std::string help);
  FlagInfo& AddInt(std::string name, int* target, int64_t min, int64_t max, std::string help);
  FlagInfo& AddInt(std::string name, int64_t* target, std::string unit, int64_t min, int64_t max, std::string help);
  FlagInfo& AddDouble(std::string name, double* target, double min, double max, std::string unit, std::string help);
  // `set` parses the value and sets what it is for.
  FlagInfo& AddParsed(std::string name, std::string unit, Check set, std::string help);
  // Flags without a default: none means that the flag was not given. The help says what that means.
  FlagInfo& AddString(std::string name, std::optional<std::string>* target, std::string unit, std::string help);
  FlagInfo& AddInt(std::string name, std::optional<int>* target, int64_t min, int64_t max, std::string help);
  FlagInfo& AddDouble(std::string name, std::optional<double>* target, double min, double max, std::string help);
  FlagInfo& AddUint64(std::string name, std::optional<uint64_t>* target, std::string help);
  // One of `choices`.
  FlagInfo& AddChoice(std::string name, std::string* target, std::vector<std::string> choices, std::string help);
  // Numbers between commas.
  FlagInfo& AddIntList(std::string name, std::vector<int>* target, int64_t min, int64_t max, std::string help);
  // Appends the flag's name and value each time. Flags may share a target, which then has them in the arguments' order.
  FlagInfo& AddEach(std::string name, std::vector<std::pair<std::string, std::string>>* target, std::string unit,
                    std::string help);
  // A flag that ends the parsing: Parse returns, and action() is its name. Every table has `--help` (`-h`). Without a
  // help it is hidden.
  FlagInfo& AddAction(std::string name, char letter, std::string help);

  // Sets the targets of the flags in `arguments`, then of those that the environment has a value for. Returns the
  // arguments that are no flags, in order.
  absl::StatusOr<std::vector<std::string>> Parse(const std::vector<std::string>& arguments);
  const std::string& action() const { return action_; }

  // Sets the targets of the flags that Parse did not set, from a file in TOML whose names are flags. Errors name the
  // file and the line.
  absl::Status ReadConfig(const std::string& path);
  // The same with the file's text. `path` is for errors.
  absl::Status ParseConfig(const std::string& path, const std::string& text);

  // Sets the target of one flag.
  absl::Status Set(absl::string_view name, const std::string& value);

  const std::vector<FlagInfo>& flags() const { return flags_; }
  // None if there is no such flag.
  const FlagInfo* Find(absl::string_view name) const;

 private:
  using Setter = std::function<absl::Status(const std::string& value)>;

  FlagInfo& Add(std::string name, std::string unit, std::string help, std::string default_value, Setter set);
  absl::StatusOr<std::vector<std::string>> Canonical(const std::vector<std::string>& arguments);
  absl::StatusOr<std::string> ValueOf(const FlagInfo& flag, const std::string& argument, const std::string* next,
                                      bool& takes_next) const;
  absl::Status Take(const FlagInfo& flag, const std::string& value);
  absl::Status ReadEnvironment();
  std::string Nearest(absl::string_view typed) const;

  const Repeated repeated_;
  std::vector<FlagInfo> flags_;
  std::vector<Setter> setters_;  // of flags_
  std::vector<bool> lists_;      // of flags_: each of its values counts
  std::string section_;
  bool common_ = false;
  std::map<std::string, std::string> given_;  // by Parse or ParseConfig: names and values
  std::string action_;
};

}  // namespace heed
