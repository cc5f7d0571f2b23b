// SPDX-License-Identifier: Apache-2.0
// Shapes that callers send: how many elements they say, and how a message shows them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace heed {

inline std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Sizes are at least 0. Nothing: more than 2^62.
inline std::optional<int64_t> ElementCount(absl::Span<const int64_t> shape) {
  int64_t product = 1;
  bool too_many = false;
  for (const int64_t size : shape) {
    if (size == 0) return 0;
    too_many = too_many || product > (int64_t{1} << 62) / size;
    if (!too_many) product *= size;
  }
  if (too_many) return std::nullopt;
  return product;
}

}  // namespace heed
