// SPDX-License-Identifier: Apache-2.0
#include "client/commands/row_file.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/cli/command_input.h"

namespace heed::client {
namespace {

constexpr size_t kMaxQuoted = 40;  // bytes of what is no number

bool IsBits(const std::string& line) { return line.find_first_not_of("01") == std::string::npos; }

// The numbers of a line, behind `values`. False: `part` is none.
bool AppendRow(const std::string& line, bool bits, std::vector<float>& values, absl::string_view& part) {
  if (bits) {
    for (const char bit : line) values.push_back(bit == '1' ? 1 : 0);
    return true;
  }
  for (const absl::string_view text : absl::StrSplit(line, absl::ByAnyChar(" \t,"), absl::SkipEmpty())) {
    part = text;
    if (!absl::SimpleAtof(text, &values.emplace_back()) || !std::isfinite(values.back())) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<RowSequence>> ReadRows(std::istream& in, const std::string& name) {
  std::vector<std::string> lines;
  for (std::string line; ReadLine(in, line);) {
    const auto number = static_cast<int64_t>(lines.size()) + 1;
    if (absl::Status status = CheckText(line, number, name, "heed run"); !status.ok()) return status;
    lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  if (in.bad()) return absl::DataLossError(absl::StrCat("cannot read ", name, " after line ", lines.size()));
  const bool bits = std::all_of(lines.begin(), lines.end(), IsBits);

  std::vector<RowSequence> sequences;
  bool open = false;  // the last sequence
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) {
      open = false;
      continue;
    }
    const auto number = static_cast<int64_t>(i) + 1;
    if (!open) sequences.push_back({.line = number});
    RowSequence& sequence = sequences.back();
    const size_t before = sequence.values.size();
    absl::string_view part;
    if (!AppendRow(lines[i], bits, sequence.values, part)) {
      return absl::InvalidArgumentError(absl::StrCat(name, ", line ", number, ": '",
                                                     absl::StripAsciiWhitespace(part).substr(0, kMaxQuoted),
                                                     "' is not a finite number"));
    }
    const auto width = static_cast<int64_t>(sequence.values.size() - before);
    if (!open) sequence.width = width;
    if (width != sequence.width || width == 0) {
      return absl::InvalidArgumentError(absl::StrCat(name, ", line ", number, ": has ", width, " numbers, line ",
                                                     sequence.line, " has ", sequence.width));
    }
    open = true;
  }
  return sequences;
}

}  // namespace heed::client
