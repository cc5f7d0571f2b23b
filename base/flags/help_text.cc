// SPDX-License-Identifier: Apache-2.0
#include "base/flags/help_text.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace heed {
namespace {

constexpr size_t kHelpIndent = 26;
constexpr char kDefault[] = "(default\x1f";  // stays on one line with what follows

// Lines of text are put together and wrapped; indented lines and empty ones stay as they are.
std::string WrappedParagraphs(absl::string_view text) {
  std::string out;
  std::string filled;
  const auto flush = [&] {
    if (!filled.empty()) out += Wrapped(filled, 0, "");
    filled.clear();
  };
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty() || line[0] == ' ') {
      flush();
      absl::StrAppend(&out, line, "\n");
    } else {
      absl::StrAppend(&filled, line, " ");
    }
  }
  flush();
  return out;
}

// Numbers and truth values as they are, anything else in quotes.
std::string ConfigValue(const std::string& value) {
  double number = 0;
  if (value == "true" || value == "false" || absl::SimpleAtod(value, &number)) return value;
  return absl::StrCat("\"", value, "\"");
}

}  // namespace

std::string MeaningAndDefault(const FlagInfo& flag) {
  if (flag.default_value.empty() || flag.default_value == "false") return flag.help;
  return absl::StrCat(flag.help, " (default ", flag.default_value, ")");
}

std::string Wrapped(absl::string_view text, size_t column, absl::string_view indent) {
  std::string out;
  bool first = true;
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    if (!first && column + 1 + word.size() > kHelpColumns) {
      absl::StrAppend(&out, "\n", indent);
      column = indent.size();
      first = true;
    }
    absl::StrAppend(&out, first ? "" : " ", word);
    column += word.size() + (first ? 0 : 1);
    first = false;
  }
  return out + '\n';
}

std::string FlagForm(const FlagInfo& flag) {
  const std::string letter = flag.letter == '\0' ? "" : absl::StrCat("-", std::string(1, flag.letter), ", ");
  return absl::StrCat(letter, "--", flag.name, flag.unit.empty() ? "" : "=", flag.unit);
}

std::vector<std::pair<std::string, std::vector<FlagInfo>>> Sections(absl::Span<const FlagInfo> flags) {
  std::vector<std::pair<std::string, std::vector<FlagInfo>>> sections;
  for (const bool common : {false, true}) {
    for (const FlagInfo& flag : flags) {
      if (flag.common != common || flag.help.empty()) continue;
      auto section = std::find_if(sections.begin(), sections.end(),
                                  [&](const auto& known) { return known.first == flag.section; });
      if (section == sections.end()) section = sections.insert(section, {flag.section, {}});
      section->second.push_back(flag);
    }
  }
  return sections;
}

std::string FlagHelp(absl::Span<const FlagInfo> flags) {
  std::string out;
  const std::string indent(kHelpIndent, ' ');
  for (const auto& [title, members] : Sections(flags)) {
    if (!out.empty()) out += '\n';
    if (!title.empty()) absl::StrAppend(&out, title, ":\n");
    for (const FlagInfo& flag : members) {
      const std::string left = absl::StrCat("  ", FlagForm(flag));
      const bool fits = left.size() + 2 <= kHelpIndent;
      absl::StrAppend(
          &out, left, fits ? indent.substr(left.size()) : absl::StrCat("\n", indent),
          Wrapped(absl::StrReplaceAll(MeaningAndDefault(flag), {{"(default ", kDefault}}), kHelpIndent, indent));
    }
  }
  return absl::StrReplaceAll(out, {{kDefault, "(default "}});
}

std::string HelpText(const CommandPage& page) {
  const std::string flags = FlagHelp(page.flags);
  const std::string title = absl::StartsWith(flags, "  ") ? "Flags:\n" : "";
  return absl::StrCat("Usage: ", page.synopsis, "\n\n", WrappedParagraphs(page.description), flags.empty() ? "" : "\n",
                      title, flags, page.after_flags.empty() ? "" : "\n", page.after_flags);
}

std::string UsageError(const CommandPage& page, absl::string_view problem) {
  return absl::StrCat(problem, "\nUsage: ", page.synopsis, "\nSee --help for every flag.");
}

std::string MarkdownTable(absl::Span<const FlagInfo> flags, bool common) {
  std::string out = "| flag | default | meaning |\n| --- | --- | --- |\n";
  const auto escaped = [](absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); };
  for (const auto& [title, members] : Sections(flags)) {
    for (const FlagInfo& flag : members) {
      if (flag.common != common) continue;
      const std::string value = flag.default_value.empty() ? "" : absl::StrCat("`", flag.default_value, "`");
      absl::StrAppend(&out, "| `", escaped(FlagForm(flag)), "` | ", value, " | ", escaped(flag.help), " |\n");
    }
  }
  return out;
}

std::string DefaultConfig(const CommandPage& page) {
  std::string out = absl::StrCat("# Configuration of ", page.name, ": ", page.name,
                                 " --config=FILE reads it, and flags on the command line win.\n",
                                 "# Each setting is a flag. The values shown are the defaults; remove the \"#\" before "
                                 "a line to change its value.\n",
                                 "# Text stands in double quotes, on one line, and cannot hold \"#\".\n");
  for (const auto& [title, members] : Sections(page.flags)) {
    std::string section;
    for (const FlagInfo& flag : members) {
      if (!flag.configurable) continue;
      const std::string unit = flag.unit.empty() || !flag.choices.empty() ? "" : absl::StrCat(" [", flag.unit, "]");
      absl::StrAppend(&section, "\n# ", Wrapped(absl::StrCat(flag.help, unit), 2, "# "), "# ", flag.name, " = ",
                      ConfigValue(flag.default_value), "\n");
    }
    if (!section.empty()) absl::StrAppend(&out, "\n## ", title, "\n", section);
  }
  return out;
}

}  // namespace heed
