// SPDX-License-Identifier: Apache-2.0
// Pages about flags: the text of --help, the tables in docs/, the default configuration file.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/flags/command_page.h"

namespace heed {

// The widest line of a help text.
inline constexpr size_t kHelpColumns = 90;

// The words of `text`, wrapped at kHelpColumns. The first line begins where `column` columns are taken; each other line
// begins with `indent`. Ends with the end of a line.
std::string Wrapped(absl::string_view text, size_t column, absl::string_view indent);

// "--beam=N"; "--json"; "-h, --help"
std::string FlagForm(const FlagInfo& flag);

// The help with the default, if there is one: "A count. (default 4)".
std::string MeaningAndDefault(const FlagInfo& flag);

// The flags of each section, in the order in which the sections begin, the common ones last. Hidden flags (without a
// help) are left out.
std::vector<std::pair<std::string, std::vector<FlagInfo>>> Sections(absl::Span<const FlagInfo> flags);

// An entry for each flag, with its default, by sections.
std::string FlagHelp(absl::Span<const FlagInfo> flags);

// The text of --help.
std::string HelpText(const CommandPage& page);

// A line for standard error: what is wrong with the arguments, how the command is called, and where to read more.
std::string UsageError(const CommandPage& page, absl::string_view problem);

// The flags as a Markdown table: flag, default, meaning. `common`: only the common ones, otherwise only the others.
std::string MarkdownTable(absl::Span<const FlagInfo> flags, bool common);

// A configuration file that sets nothing: each configurable flag is a comment, with its default.
std::string DefaultConfig(const CommandPage& page);

}  // namespace heed
