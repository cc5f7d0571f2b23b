// SPDX-License-Identifier: Apache-2.0
// Where a sequence is among the packed rows of a batch: those of all sequences, one after the other, without padding.
#pragma once

#include <cstdint>

namespace heed {

// A sequence's rows in a batch.
struct PackedSequence {
  int64_t first = 0;
  int64_t length = 0;
};

}  // namespace heed
