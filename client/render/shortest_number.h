// SPDX-License-Identifier: Apache-2.0
// Numbers in JSON and text.
#pragma once

#include <string>

namespace heed::client {

// The double with the fewest digits that reads back as this float: 0.1, not 0.10000000149.
double ShortestNumber(float value);
// The same as text: "0.1", "1e-07".
std::string ShortestText(float value);

}  // namespace heed::client
