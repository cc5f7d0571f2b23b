// SPDX-License-Identifier: Apache-2.0
#include "base/flags/man_page.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/flags/help_text.h"

namespace heed {
namespace {

// Text as troff prints it: every "-" can be copied into a shell.
std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}, {"^", "\\(ha"}, {"~", "\\(ti"}});
}

// A line of text that is no request, whatever it begins with.
std::string TextLine(absl::string_view line) {
  return absl::StrCat(absl::StartsWith(line, ".") ? "\\&" : "", Escaped(line), "\n");
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(Escaped(text), {{"\"", "\\(dq"}}), "\"");
}

// Indented lines stay as they are.
std::string Paragraphs(absl::string_view text) {
  std::string out;
  bool as_it_is = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const bool indented = absl::StartsWith(line, " ");
    if (indented != as_it_is) out += indented ? ".nf\n" : ".fi\n";
    as_it_is = indented;
    out += line.empty() ? ".PP\n" : TextLine(line);
  }
  return as_it_is ? out + ".fi\n" : out;
}

std::string Flag(const FlagInfo& flag) {
  return absl::StrCat(".TP\n.B ", Escaped(FlagForm(flag)), "\n", TextLine(MeaningAndDefault(flag)));
}

// The flags that every command has, or the others.
std::string Flags(const CommandPage& page, bool common) {
  std::string out;
  for (const auto& [title, members] : Sections(page.flags)) {
    if (members[0].common != common) continue;
    if (!common && !title.empty()) absl::StrAppend(&out, ".PP\n.I ", Quoted(absl::StrCat(title, ":")), "\n");
    for (const FlagInfo& flag : members) out += Flag(flag);
  }
  return out;
}

// "Examples:\n  heed models\n" as a heading by `macro`, and lines that stay as they are.
std::string AfterFlags(const CommandPage& page, absl::string_view macro) {
  std::string out;
  bool open = false;
  for (const absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(page.after_flags), '\n')) {
    const bool heading = !line.empty() && !absl::StartsWith(line, " ");
    if (heading && open) out += ".fi\n";
    if (heading && absl::EndsWith(line, ":")) {
      const absl::string_view title = line.substr(0, line.size() - 1);
      absl::StrAppend(&out, macro, " ", Quoted(macro == ".SH" ? absl::AsciiStrToUpper(title) : std::string(title)),
                      "\n", ".nf\n");
      open = true;
    } else if (heading) {
      absl::StrAppend(&out, ".PP\n", TextLine(line));
      open = false;
    } else if (open) {
      out += line.empty() ? ".sp\n" : TextLine(line);
    }
  }
  return open ? out + ".fi\n" : out;
}

std::string Command(const CommandPage& page) {
  return absl::StrCat(".SS ", Quoted(page.synopsis), "\n", Paragraphs(page.description), Flags(page, /*common=*/false),
                      AfterFlags(page, ".PP\n.I"));
}

}  // namespace

std::string ManPage(const ProgramPage& program, absl::string_view version, absl::string_view see_also) {
  const CommandPage& page = program.program;
  std::string out = absl::StrCat(
      ".\\\" Written by ", page.name, "; do not edit.\n.TH ", Quoted(absl::AsciiStrToUpper(page.name)), " 1 \"\" ",
      Quoted(absl::StrCat("Heed ", version)), "\n.SH NAME\n", Escaped(page.name), " \\- ", Escaped(page.summary),
      "\n.SH SYNOPSIS\n.B ", Escaped(page.synopsis), "\n.SH DESCRIPTION\n", Paragraphs(page.description));
  if (const std::string flags = Flags(page, /*common=*/false); !flags.empty()) {
    absl::StrAppend(&out, ".SH OPTIONS\n", flags);
  }
  if (!program.commands.empty()) {
    out += ".SH COMMANDS\n";
    for (const CommandPage& command : program.commands) out += Command(command);
  }
  for (const CommandPage& command : program.commands) {
    const std::string common = Flags(command, /*common=*/true);
    if (common.empty()) continue;
    absl::StrAppend(&out, ".SH CONNECTION OPTIONS\nEvery command that talks to a server takes these flags.\n", common);
    break;
  }
  absl::StrAppend(&out, AfterFlags(page, ".SH"), ".SH SEE ALSO\n.BR ", Escaped(see_also), " (1)\n");
  return out;
}

}  // namespace heed
