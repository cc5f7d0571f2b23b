// SPDX-License-Identifier: Apache-2.0
// How the paper's algorithmic tasks frame their data: docs/ntm-config.md, "Frames".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "models/ntm/ntm_config.h"

namespace heed {

// What a machine reads, row by row, and which of its outputs are wanted.
struct FramedSequence {
  std::vector<float> inputs;  // [rows that are not blank, input_width]
  int64_t rows = 0;           // with the blank ones, which follow
  int64_t first_output = 0;   // of the wanted ones, which reach to the end
};

// values: row-major [rows, data_width]. INVALID_ARGUMENT names the field and both values: rows that are no whole number
// of items, too few items, repeats out of range or of a task that repeats nothing, too many rows in all.
absl::StatusOr<FramedSequence> FrameSequence(const NtmFrameConfig& frame, const std::vector<float>& values,
                                             std::optional<int64_t> repeats);

}  // namespace heed
