// SPDX-License-Identifier: Apache-2.0
// What a linear layer's weights lost when they were stored in a reduced precision.
#pragma once

#include <string>

namespace heed {

struct QuantizationError {
  std::string name;           // of the first tensor of its weights, or what it does
  double relative_error = 0;  // Linear::relative_error
};

}  // namespace heed
