// SPDX-License-Identifier: Apache-2.0
#include "base/flags/flag_table.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"
#include "base/nearest_name.h"
#include "base/status_macros.h"

namespace heed {
namespace {

std::string Range(double min, double max, const std::string& shown_min, const std::string& shown_max) {
  const bool bounded = std::isfinite(max) && max < static_cast<double>(FlagTable::kNoMaximum) &&
                       max != static_cast<double>(std::numeric_limits<int>::max());
  if (std::isfinite(min) && bounded) return absl::StrCat(" from ", shown_min, " to ", shown_max);
  if (std::isfinite(min)) return absl::StrCat(" of at least ", shown_min);
  return bounded ? absl::StrCat(" of at most ", shown_max) : "";
}

absl::StatusOr<int64_t> ParseInt(const std::string& text, int64_t min, int64_t max) {
  int64_t value = 0;
  if (absl::SimpleAtoi(text, &value) && value >= min && value <= max) return value;
  return InvalidArgument("must be a whole number", Range(static_cast<double>(min), static_cast<double>(max),
                                                         absl::StrCat(min), absl::StrCat(max)));
}

absl::StatusOr<double> ParseDouble(const std::string& text, double min, double max) {
  double value = 0;
  if (absl::SimpleAtod(text, &value) && std::isfinite(value) && value >= min && value <= max) return value;
  return InvalidArgument("must be a number", Range(min, max, absl::StrCat(min), absl::StrCat(max)));
}

template <typename T>
auto IntSetter(T* target, int64_t min, int64_t max) {
  return [=](const std::string& text) -> absl::Status {
    HEED_ASSIGN_OR_RETURN(const int64_t value, ParseInt(text, min, max));
    *target = static_cast<int>(value);
    return absl::OkStatus();
  };
}

template <typename T>
auto DoubleSetter(T* target, double min, double max) {
  return [=](const std::string& text) -> absl::Status {
    HEED_ASSIGN_OR_RETURN(*target, ParseDouble(text, min, max));
    return absl::OkStatus();
  };
}

template <typename T>
auto StringSetter(T* target) {
  return [=](const std::string& text) {
    *target = text;
    return absl::OkStatus();
  };
}

int64_t MaxInt(int64_t max) { return std::min<int64_t>(max, std::numeric_limits<int>::max()); }

std::string Underscored(absl::string_view name) { return absl::StrReplaceAll(name, {{"-", "_"}}); }

// The numbers of the lines that set `name`, from 1.
std::vector<size_t> LinesOf(absl::string_view name, const std::string& text) {
  std::vector<size_t> lines;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('=')));
    if (line == name || line == absl::StrCat("\"", name, "\"")) lines.push_back(number);
  }
  return lines;
}

// CLI11 passes over lines of one or two characters.
absl::Status CheckShortLines(const std::string& path, const std::string& text) {
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view content = absl::StripAsciiWhitespace(line);
    if (content.empty() || content.size() > 2 || content[0] == '#') continue;
    return InvalidArgument(path, ":", number, ": \"", content, "\" is not NAME = VALUE");
  }
  return absl::OkStatus();
}

}  // namespace

FlagTable::FlagTable(Repeated repeated) : repeated_(repeated) {
  FlagInfo help{.name = "help", .action = true, .letter = 'h', .configurable = false};
  flags_.push_back(help);
  setters_.emplace_back();
  lists_.push_back(false);
}

std::string FlagTable::AddSection(std::string title, bool common) {
  common_ = common;
  return std::exchange(section_, std::move(title));
}

FlagInfo& FlagTable::Add(std::string name, std::string unit, std::string help, std::string default_value, Setter set) {
  flags_.push_back({.name = std::move(name),
                    .unit = std::move(unit),
                    .help = std::move(help),
                    .default_value = std::move(default_value),
                    .section = section_,
                    .common = common_});
  setters_.push_back(std::move(set));
  lists_.push_back(false);
  return flags_.back();
}

FlagInfo& FlagTable::AddBool(std::string name, bool* target, std::string help) {
  const auto set = [target](const std::string& text) -> absl::Status {
    if (text != "true" && text != "false") return InvalidArgument("must be true or false");
    *target = text == "true";
    return absl::OkStatus();
  };
  return Add(std::move(name), "", std::move(help), *target ? "true" : "false", set);
}

FlagInfo& FlagTable::AddString(std::string name, std::string* target, std::string unit, std::string help) {
  return Add(std::move(name), std::move(unit), std::move(help), *target, StringSetter(target));
}

FlagInfo& FlagTable::AddString(std::string name, std::string* target, std::string unit, Check check, std::string help) {
  const auto set = [target, check = std::move(check)](const std::string& text) -> absl::Status {
    HEED_RETURN_IF_ERROR(check(text));
    *target = text;
    return absl::OkStatus();
  };
  return Add(std::move(name), std::move(unit), std::move(help), *target, set);
}

FlagInfo& FlagTable::AddParsed(std::string name, std::string unit, Check set, std::string help) {
  return Add(std::move(name), std::move(unit), std::move(help), "", std::move(set));
}

FlagInfo& FlagTable::AddString(std::string name, std::optional<std::string>* target, std::string unit,
                               std::string help) {
  return Add(std::move(name), std::move(unit), std::move(help), "", StringSetter(target));
}

FlagInfo& FlagTable::AddInt(std::string name, int* target, int64_t min, int64_t max, std::string help) {
  return Add(std::move(name), "N", std::move(help), absl::StrCat(*target), IntSetter(target, min, MaxInt(max)));
}

FlagInfo& FlagTable::AddInt(std::string name, int64_t* target, std::string unit, int64_t min, int64_t max,
                            std::string help) {
  const auto set = [=](const std::string& text) -> absl::Status {
    HEED_ASSIGN_OR_RETURN(*target, ParseInt(text, min, max));
    return absl::OkStatus();
  };
  return Add(std::move(name), std::move(unit), std::move(help), absl::StrCat(*target), set);
}

FlagInfo& FlagTable::AddInt(std::string name, std::optional<int>* target, int64_t min, int64_t max, std::string help) {
  return Add(std::move(name), "N", std::move(help), "", IntSetter(target, min, MaxInt(max)));
}

FlagInfo& FlagTable::AddDouble(std::string name, double* target, double min, double max, std::string unit,
                               std::string help) {
  return Add(std::move(name), std::move(unit), std::move(help), absl::StrCat(*target), DoubleSetter(target, min, max));
}

FlagInfo& FlagTable::AddDouble(std::string name, std::optional<double>* target, double min, double max,
                               std::string help) {
  return Add(std::move(name), "X", std::move(help), "", DoubleSetter(target, min, max));
}

FlagInfo& FlagTable::AddUint64(std::string name, std::optional<uint64_t>* target, std::string help) {
  const auto set = [target](const std::string& text) -> absl::Status {
    uint64_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) return InvalidArgument("must be a whole number of at least 0");
    *target = value;
    return absl::OkStatus();
  };
  return Add(std::move(name), "N", std::move(help), "", set);
}

FlagInfo& FlagTable::AddChoice(std::string name, std::string* target, std::vector<std::string> choices,
                               std::string help) {
  const auto set = [target, choices](const std::string& text) -> absl::Status {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      return InvalidArgument("must be one of ", absl::StrJoin(choices, ", "));
    }
    *target = text;
    return absl::OkStatus();
  };
  FlagInfo& flag = Add(std::move(name), absl::StrJoin(choices, "|"), std::move(help), *target, set);
  flag.choices = std::move(choices);
  return flag;
}

FlagInfo& FlagTable::AddIntList(std::string name, std::vector<int>* target, int64_t min, int64_t max,
                                std::string help) {
  const auto set = [=](const std::string& text) -> absl::Status {
    std::vector<int> values;
    for (const absl::string_view part : absl::StrSplit(text, ',')) {
      const absl::StatusOr<int64_t> value = ParseInt(std::string(part), min, MaxInt(max));
      if (!value.ok()) return InvalidArgument("\"", part, "\" ", value.status().message());
      values.push_back(static_cast<int>(*value));
    }
    *target = std::move(values);
    return absl::OkStatus();
  };
  return Add(std::move(name), "N,N,...", std::move(help), absl::StrJoin(*target, ","), set);
}

FlagInfo& FlagTable::AddEach(std::string name, std::vector<std::pair<std::string, std::string>>* target,
                             std::string unit, std::string help) {
  const auto set = [name, target](const std::string& text) {
    target->emplace_back(name, text);
    return absl::OkStatus();
  };
  FlagInfo& flag = Add(name, std::move(unit), std::move(help), "", set);
  lists_.back() = true;
  return flag;
}

FlagInfo& FlagTable::AddAction(std::string name, char letter, std::string help) {
  if (const FlagInfo* const before = Find(name)) {
    const std::ptrdiff_t index = before - flags_.data();
    flags_.erase(flags_.begin() + index);
    setters_.erase(setters_.begin() + index);
    lists_.erase(lists_.begin() + index);
  }
  FlagInfo& flag = Add(std::move(name), "", std::move(help), "", nullptr);
  flag.action = true;
  flag.letter = letter;
  flag.configurable = false;
  return flag;
}

const FlagInfo* FlagTable::Find(absl::string_view name) const {
  const std::string underscored = Underscored(name);
  const auto flag = std::find_if(flags_.begin(), flags_.end(),
                                 [&](const FlagInfo& candidate) { return candidate.name == underscored; });
  return flag == flags_.end() ? nullptr : &*flag;
}

// "; did you mean --beam?", or nothing.
std::string FlagTable::Nearest(absl::string_view typed) const {
  std::vector<std::string> names;
  for (const FlagInfo& flag : flags_) {
    if (!flag.help.empty() || flag.name == "help") names.push_back(flag.name);
  }
  return DidYouMean(Underscored(typed), names, "--");
}

absl::Status FlagTable::Set(absl::string_view name, const std::string& value) {
  const FlagInfo* const flag = Find(name);
  if (flag == nullptr || flag->action) return InvalidArgument("unknown flag --", name, Nearest(name));
  const absl::Status status = setters_[static_cast<size_t>(flag - flags_.data())](value);
  return status.ok() ? status : InvalidArgument("--", flag->name, "=", value, ": ", status.message());
}

absl::Status FlagTable::Take(const FlagInfo& flag, const std::string& value) {
  const auto [before, added] = given_.emplace(flag.name, value);
  if (!added && repeated_ == Repeated::kRefused && !lists_[static_cast<size_t>(&flag - flags_.data())]) {
    return InvalidArgument("--", flag.name, ": is given twice, as ", before->second, " and ", value);
  }
  before->second = value;
  return Set(flag.name, value);
}

// The value of `flag`, which `argument` begins. `next` is the argument after it, or null.
absl::StatusOr<std::string> FlagTable::ValueOf(const FlagInfo& flag, const std::string& argument,
                                               const std::string* next, bool& takes_next) const {
  const size_t equals = argument.find('=');
  if (equals != argument.npos) return argument.substr(equals + 1);
  if (flag.unit.empty()) {
    if (next == nullptr || (*next != "true" && *next != "false")) return "true";
    return InvalidArgument("--", flag.name, " takes a value only after \"=\", as in --", flag.name, "=", *next);
  }
  takes_next = next != nullptr && !absl::StartsWith(*next, "--");
  if (takes_next) return *next;
  return InvalidArgument("--", flag.name, " needs a value, as in --", flag.name, "=", flag.unit);
}

// The arguments in the one form that CLI11 2.1.2 reads as we mean it: every flag by its own name, and its value in the
// argument after it. From "--name=" it would take the next argument as the value, and from "--name --other" the flag.
absl::StatusOr<std::vector<std::string>> FlagTable::Canonical(const std::vector<std::string>& arguments) {
  std::vector<std::string> canonical;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      canonical.insert(canonical.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {  // "-" is a file's name: standard input
      canonical.push_back(argument);
      continue;
    }
    const std::string typed = argument.substr(0, argument.find('='));
    const FlagInfo* flag = typed[1] == '-' ? Find(typed.substr(2)) : nullptr;
    for (const FlagInfo& candidate : flags_) {
      if (typed.size() == 2 && candidate.letter == typed[1]) flag = &candidate;
    }
    if (flag == nullptr) {
      return InvalidArgument("unknown flag ", typed, Nearest(typed.substr(typed[1] == '-' ? 2 : 1)));
    }
    if (flag->action) {
      if (typed.size() < argument.size()) return InvalidArgument("--", flag->name, " takes no value");
      action_ = flag->name;
      return std::vector<std::string>();
    }
    bool takes_next = false;
    HEED_ASSIGN_OR_RETURN(std::string value,
                          ValueOf(*flag, argument, i + 1 < arguments.size() ? &arguments[i + 1] : nullptr, takes_next));
    canonical.push_back(absl::StrCat("--", flag->name));
    canonical.push_back(std::move(value));
    if (takes_next) ++i;
  }
  return canonical;
}

absl::StatusOr<std::vector<std::string>> FlagTable::Parse(const std::vector<std::string>& arguments) {
  HEED_ASSIGN_OR_RETURN(std::vector<std::string> canonical, Canonical(arguments));
  if (!action_.empty()) return std::vector<std::string>();
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::map<const CLI::Option*, const FlagInfo*> options;
  for (const FlagInfo& flag : flags_) {
    if (flag.action) continue;
    options[app.add_option("--" + flag.name)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)] = &flag;
  }
  try {
    std::reverse(canonical.begin(), canonical.end());  // as CLI11 wants them
    app.parse(std::move(canonical));
  } catch (const CLI::ParseError& error) {
    return InvalidArgument(error.what());
  }
  std::map<const CLI::Option*, size_t> taken;
  for (const CLI::Option* option : app.parse_order()) {
    HEED_RETURN_IF_ERROR(Take(*options.at(option), option->results()[taken[option]++]));
  }
  HEED_RETURN_IF_ERROR(ReadEnvironment());
  std::vector<std::string> others = app.remaining();
  if (const auto mark = std::find(others.begin(), others.end(), "--"); mark != others.end()) others.erase(mark);
  return others;
}

absl::Status FlagTable::ReadEnvironment() {
  for (const FlagInfo& flag : flags_) {
    if (flag.environment.empty() || given_.count(flag.name) > 0) continue;
    const char* const value = std::getenv(flag.environment.c_str());
    if (value == nullptr || *value == '\0') continue;
    const absl::Status status = Set(flag.name, value);
    if (!status.ok()) return InvalidArgument("the environment's ", flag.environment, ": ", status.message());
    given_[flag.name] = value;
  }
  return absl::OkStatus();
}

absl::Status FlagTable::ReadConfig(const std::string& path) {
  constexpr std::uintmax_t kMaxBytes = 1 << 20;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return InvalidArgument(path, ": is not a file");
  if (std::filesystem::file_size(path, error) > kMaxBytes) {
    return InvalidArgument(path, ": has more than ", kMaxBytes, " bytes");
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return InvalidArgument(path, ": cannot be read");
  return ParseConfig(path, text);
}

absl::Status FlagTable::ParseConfig(const std::string& path, const std::string& text) {
  HEED_RETURN_IF_ERROR(CheckShortLines(path, text));
  std::vector<CLI::ConfigItem> items;
  try {
    std::istringstream stream(text);
    items = CLI::ConfigTOML().from_config(stream);
  } catch (const std::exception& problem) {
    return InvalidArgument(path, ": ", problem.what());
  }
  for (const CLI::ConfigItem& item : items) {
    if (!item.parents.empty()) {
      return InvalidArgument(path, ": has a section or a dotted name, \"", item.fullname(), "\"; names are flags");
    }
    const std::vector<size_t> lines = LinesOf(item.name, text);
    const std::string place = lines.empty() ? path : absl::StrCat(path, ":", lines.back());
    const FlagInfo* const flag = Find(item.name);
    if (flag == nullptr) return InvalidArgument(place, ": unknown flag ", item.name, Nearest(item.name));
    if (!flag->configurable) return InvalidArgument(place, ": ", item.name, " is only for the command line");
    if (lines.size() > 1) return InvalidArgument(place, ": ", item.name, ": is given twice");
    const std::string value = absl::StrJoin(item.inputs, ",");
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
      return InvalidArgument(place, ": ", item.name, ": has no closing quote (\"#\" begins a comment anywhere)");
    }
    if (given_.count(flag->name) > 0) continue;  // the command line wins
    const absl::Status status = Set(flag->name, value);
    if (!status.ok()) return InvalidArgument(place, ": ", status.message());
  }
  return absl::OkStatus();
}

}  // namespace heed
