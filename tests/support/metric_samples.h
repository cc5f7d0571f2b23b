// SPDX-License-Identifier: Apache-2.0
// What a scrape of the metrics says.
#pragma once

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"

namespace heed {

// Whether a sample in `text`, in Prometheus' format, holds `part`. A number at the end of `part` is a whole number of
// the sample; help texts and types are no samples.
inline bool HasSample(std::string_view text, std::string_view part) {
  if (part.ends_with('\n')) part.remove_suffix(1);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#')) continue;
    for (size_t at = line.find(part); at != line.npos; at = line.find(part, at + 1)) {
      const size_t end = at + part.size();
      // "1" is not "12", "1.5" or "1e+06".
      const auto in_number = [](char c) { return absl::ascii_isdigit(c) || c == '.' || c == 'e'; };
      const bool goes_on = end < line.size() && in_number(line[end]) && absl::ascii_isdigit(part.back());
      if (!goes_on) return true;
    }
  }
  return false;
}

}  // namespace heed
