// SPDX-License-Identifier: Apache-2.0
// Sequences of rows of numbers, as text.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace heed::client {

struct RowSequence {
  int64_t line = 0;           // of its first row, from 1
  int64_t width = 0;          // of its rows
  std::vector<float> values;  // row-major [rows, width]
};

// Reads rows, one a line, of numbers between blanks, tabs or commas; blank lines separate sequences. If no line has two
// numbers and all of them are made of 0 and 1 alone ("01101001"), each of these is a number. Errors name the line and
// quote what is wrong with it: INVALID_ARGUMENT no finite number, rows of different widths in a sequence; DATA_LOSS:
// the text, which messages call `name`, cannot be read to its end.
absl::StatusOr<std::vector<RowSequence>> ReadRows(std::istream& in, const std::string& name);

}  // namespace heed::client
