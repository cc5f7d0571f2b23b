// SPDX-License-Identifier: Apache-2.0
// "Did you mean ...?"
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace heed {

// Letters to insert, leave out, replace, or swap with their neighbor, to make one of the other.
inline size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> rows(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      rows[i][j] =
          std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

// The one of `names` that a person probably meant who typed `typed`: the only one that begins so, or the first of those
// with the fewest letters to mend, at most a third of them and no more than three. Empty: none is near.
inline std::string NearestName(absl::string_view typed, const std::vector<std::string>& names) {
  constexpr size_t kLongest = 64;  // no name is longer; what is costs no time
  constexpr size_t kShortestBeginning = 3;
  if (typed.size() > kLongest) return "";
  std::vector<std::string> begun;
  for (const std::string& name : names) {
    if (typed.size() >= kShortestBeginning && absl::StartsWith(name, typed)) begun.push_back(name);
  }
  if (begun.size() == 1) return begun[0];
  std::string nearest;
  size_t least = std::clamp<size_t>(typed.size() / 3, 1, 3) + 1;
  for (const std::string& name : names) {
    const size_t distance = EditDistance(typed, name);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

// "; did you mean --beam?" or, if none is near, nothing. `prefix` stands before the name.
inline std::string DidYouMean(absl::string_view typed, const std::vector<std::string>& names,
                              absl::string_view prefix = "") {
  const std::string nearest = NearestName(typed, names);
  if (nearest.empty()) return "";
  return std::string("; did you mean ").append(prefix.data(), prefix.size()).append(nearest).append("?");
}

}  // namespace heed
