// SPDX-License-Identifier: Apache-2.0
// What a scrape of the metrics says.
#pragma once

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"

namespace heed {

// Whether a sample in `text`, in Prometheus' format, holds `part`. A number at the end of `part` is a whole number of the
// sample; help texts and types are no samples.
inline bool HasSample(std::string_view text, std::string_view part) {
  if (part.ends_with('\n')) part.remove_suffix(1);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#')) continue;
    for (size_t at = line.find(part); at != line.npos; at = line.find(part, at + 1)) {
      const size_t end = at + part.size();
      const bool goes_on = end < line.size() && (absl::ascii_isdigit(line[end]) || line[end] == '.');
      if (!goes_on) return true;
    }
  }
  return false;
}

}  // namespace heed
