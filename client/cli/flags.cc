#include "client/cli/flags.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/nearest_name.h"

namespace heed::client {
namespace {

constexpr size_t kHelpColumns = 100;
constexpr size_t kHelpIndent = 26;

std::string Range(double least, double most) {
  const bool below = std::isfinite(least);
  const bool above = std::isfinite(most) && most < std::numeric_limits<int>::max();
  if (below && above) return absl::StrCat(" from ", least, " to ", most);
  if (below) return absl::StrCat(" of at least ", least);
  if (above) return absl::StrCat(" of at most ", most);
  return "";
}

absl::StatusOr<int> ParseInt(const std::string& text, int64_t least, int64_t most) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most || value > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is not a whole number", Range(static_cast<double>(least), static_cast<double>(most))));
  }
  return static_cast<int>(value);
}

absl::StatusOr<double> ParseDouble(const std::string& text, double least, double most) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value) || value < least || value > most) {
    return absl::InvalidArgumentError(absl::StrCat("is not a number", Range(least, most)));
  }
  return value;
}

// Appends words to `out`, whose last line is already `column` wide.
void Wrap(const std::string& text, size_t column, std::string& out) {
  bool first = true;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!first && column + 1 + word.size() > kHelpColumns) {
      absl::StrAppend(&out, "\n", std::string(kHelpIndent, ' '));
      column = kHelpIndent;
      first = true;
    }
    absl::StrAppend(&out, first ? "" : " ", word);
    column += word.size() + (first ? 0 : 1);
    first = false;
  }
  out += '\n';
}

}  // namespace

void FlagTable::AddSection(std::string title) { flags_.push_back({"", "", std::move(title), "", nullptr}); }

void FlagTable::AddBool(std::string name, bool* target, std::string help) {
  flags_.push_back({std::move(name), "", std::move(help), "", [target](const std::string& text) {
                      if (absl::SimpleAtob(text, target)) return absl::OkStatus();
                      return absl::InvalidArgumentError("is neither true nor false");
                    }});
}

void FlagTable::AddString(std::string name, std::string* target, std::string placeholder, std::string help) {
  flags_.push_back(
      {std::move(name), std::move(placeholder), std::move(help), *target, [target](const std::string& text) {
         *target = text;
         return absl::OkStatus();
       }});
}

void FlagTable::AddString(std::string name, std::optional<std::string>* target, std::string placeholder,
                          std::string help) {
  flags_.push_back({std::move(name), std::move(placeholder), std::move(help), "", [target](const std::string& text) {
                      *target = text;
                      return absl::OkStatus();
                    }});
}

void FlagTable::AddInt(std::string name, int* target, int64_t least, int64_t most, std::string help) {
  flags_.push_back({std::move(name), "N", std::move(help), absl::StrCat(*target), [=](const std::string& text) {
                      const absl::StatusOr<int> value = ParseInt(text, least, most);
                      if (value.ok()) *target = *value;
                      return value.status();
                    }});
}

void FlagTable::AddDouble(std::string name, double* target, double least, double most, std::string placeholder,
                          std::string help) {
  flags_.push_back(
      {std::move(name), std::move(placeholder), std::move(help), absl::StrCat(*target), [=](const std::string& text) {
         const absl::StatusOr<double> value = ParseDouble(text, least, most);
         if (value.ok()) *target = *value;
         return value.status();
       }});
}

void FlagTable::AddInt(std::string name, std::optional<int>* target, int64_t least, int64_t most, std::string help) {
  flags_.push_back({std::move(name), "N", std::move(help), "", [=](const std::string& text) {
                      const absl::StatusOr<int> value = ParseInt(text, least, most);
                      if (value.ok()) *target = *value;
                      return value.status();
                    }});
}

void FlagTable::AddDouble(std::string name, std::optional<double>* target, double least, double most,
                          std::string help) {
  flags_.push_back({std::move(name), "X", std::move(help), "", [=](const std::string& text) {
                      const absl::StatusOr<double> value = ParseDouble(text, least, most);
                      if (value.ok()) *target = *value;
                      return value.status();
                    }});
}

void FlagTable::AddUint64(std::string name, std::optional<uint64_t>* target, std::string help) {
  flags_.push_back({std::move(name), "N", std::move(help), "", [=](const std::string& text) {
                      uint64_t value = 0;
                      if (!absl::SimpleAtoi(text, &value)) {
                        return absl::InvalidArgumentError("is not a whole number of at least 0");
                      }
                      *target = value;
                      return absl::OkStatus();
                    }});
}

void FlagTable::AddChoice(std::string name, std::string* target, std::vector<std::string> choices, std::string help) {
  const std::string placeholder = absl::StrJoin(choices, "|");
  flags_.push_back({std::move(name), placeholder, std::move(help), *target,
                    [target, choices = std::move(choices)](const std::string& text) {
                      for (const std::string& choice : choices) {
                        if (text != choice) continue;
                        *target = text;
                        return absl::OkStatus();
                      }
                      return absl::InvalidArgumentError(absl::StrCat("is none of ", absl::StrJoin(choices, ", ")));
                    }});
}

void FlagTable::AddIntList(std::string name, std::vector<int>* target, int64_t least, int64_t most, std::string help) {
  flags_.push_back(
      {std::move(name), "N,N,...", std::move(help), absl::StrJoin(*target, ","), [=](const std::string& text) {
         std::vector<int> values;
         for (const absl::string_view part : absl::StrSplit(text, ',')) {
           const absl::StatusOr<int> value = ParseInt(std::string(part), least, most);
           if (!value.ok()) return value.status();
           values.push_back(*value);
         }
         *target = std::move(values);
         return absl::OkStatus();
       }});
}

void FlagTable::AddEach(std::string name, std::vector<std::pair<std::string, std::string>>* target,
                        std::string placeholder, std::string help) {
  flags_.push_back({name, std::move(placeholder), std::move(help), "", [name, target](const std::string& text) {
                      target->emplace_back(name, text);
                      return absl::OkStatus();
                    }});
}

const FlagTable::Flag* FlagTable::Find(const std::string& name) const {
  const std::string underscored = absl::StrReplaceAll(name, {{"-", "_"}});
  for (const Flag& flag : flags_) {
    if (!flag.name.empty() && flag.name == underscored) return &flag;
  }
  return nullptr;
}

std::string FlagTable::Nearest(absl::string_view shown) const {
  if (!absl::ConsumePrefix(&shown, "--")) absl::ConsumePrefix(&shown, "-");
  std::vector<std::string> names = {"help"};
  for (const Flag& flag : flags_) {
    if (!flag.name.empty()) names.push_back(flag.name);
  }
  return DidYouMean(absl::StrReplaceAll(shown, {{"-", "_"}}), names, "--");
}

absl::StatusOr<std::vector<std::string>> FlagTable::Parse(const std::vector<std::string>& arguments) {
  std::vector<std::string> others;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      others.insert(others.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (argument == "--help" || argument == "-h") {
      help_wanted_ = true;
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {  // "-" alone is a file's name: standard input
      others.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string shown = argument.substr(0, equals);
    const Flag* flag = argument[1] == '-' ? Find(shown.substr(2)) : nullptr;
    if (flag == nullptr) return absl::InvalidArgumentError(absl::StrCat("unknown flag ", shown, Nearest(shown)));
    const std::string* const next = i + 1 < arguments.size() ? &arguments[i + 1] : nullptr;
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (flag->placeholder.empty()) {
      value = "true";
      if (next != nullptr && (*next == "true" || *next == "false")) {
        return absl::InvalidArgumentError(absl::StrCat("'", *next, "' does not belong to ", shown,
                                                       ", which takes a value only behind '=': ", shown, "=", *next));
      }
    } else if (next != nullptr && !absl::StartsWith(*next, "--")) {
      value = *next;
      ++i;
    } else {
      return absl::InvalidArgumentError(absl::StrCat(shown, " needs a value: ", shown, "=", flag->placeholder));
    }
    const absl::Status set = flag->set(value);
    if (!set.ok()) return absl::InvalidArgumentError(absl::StrCat(shown, ": '", value, "' ", set.message()));
  }
  return others;
}

std::string FlagTable::Help() const {
  std::string out;
  for (const Flag& flag : flags_) {
    if (flag.name.empty()) {
      absl::StrAppend(&out, out.empty() ? "" : "\n", flag.help, ":\n");
      continue;
    }
    std::string left = absl::StrCat("  --", flag.name);
    if (!flag.placeholder.empty()) absl::StrAppend(&left, "=", flag.placeholder);
    if (left.size() + 2 > kHelpIndent) {
      absl::StrAppend(&out, left, "\n", std::string(kHelpIndent, ' '));
    } else {
      absl::StrAppend(&out, left, std::string(kHelpIndent - left.size(), ' '));
    }
    const std::string default_text =
        flag.default_text.empty() ? "" : absl::StrCat(" (default ", flag.default_text, ")");
    Wrap(absl::StrCat(flag.help, default_text), kHelpIndent, out);
  }
  return out;
}

}  // namespace heed::client
