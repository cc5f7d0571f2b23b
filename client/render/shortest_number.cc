// SPDX-License-Identifier: Apache-2.0
#include "client/render/shortest_number.h"

#include <charconv>

namespace heed::client {

double ShortestNumber(float value) {
  const std::string digits = ShortestText(value);
  double result = value;
  std::from_chars(digits.data(), digits.data() + digits.size(), result);
  return result;
}

std::string ShortestText(float value) {
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof(digits), value);
  return {digits, written.ptr};
}

}  // namespace heed::client
