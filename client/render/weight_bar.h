// SPDX-License-Identifier: Apache-2.0
// Weights for people.
#pragma once

#include <string>

namespace heed::client {

// "    0.62 ██████████▌          NAME\n", the bar in proportion to `heaviest`.
std::string WeightBar(double weight, double heaviest, const std::string& name);
std::string WeightWithoutBar(double weight, const std::string& name);

}  // namespace heed::client
