// SPDX-License-Identifier: Apache-2.0
// How urgent a request is beside the others that wait for the same model: a level, 1 before 2 before 3.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// What the levels mean is BatchFormer's.
enum class Priority { kHigh = 1, kNormal = 2, kLow = 3 };
inline constexpr Priority kDefaultPriority = Priority::kNormal;

inline constexpr size_t kPriorityLevels = 3;
// Its place among the levels, the first of them at 0.
constexpr size_t LevelOf(Priority priority) { return static_cast<size_t>(priority) - 1; }

// INVALID_ARGUMENT: there is no such level; names `field`, the value and the levels that there are.
absl::StatusOr<Priority> ToPriority(absl::string_view field, int64_t level);
absl::StatusOr<Priority> ParsePriority(absl::string_view field, absl::string_view text);

}  // namespace heed
