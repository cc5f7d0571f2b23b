// SPDX-License-Identifier: Apache-2.0
// The values of stored tensors, as floats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "files/safetensors.h"

namespace heed {

// The index of the first value that is infinite or NaN as a float, which an F64 may become; -1: none is. For the
// floating-point types.
int64_t FirstNonFinite(const StoredTensor& tensor);

// The index of the first value in which two tensors of the same shape differ as floats; -1: they are the same.
int64_t FirstDifference(const StoredTensor& a, const StoredTensor& b);

// The place of value `i` of a tensor of this shape: "[2, 17]".
std::string PlaceName(int64_t i, const std::vector<int64_t>& shape);

// The values of a tensor as floats.
std::vector<float> ReadFloats(const StoredTensor& tensor);

}  // namespace heed
