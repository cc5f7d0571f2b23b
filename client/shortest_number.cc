#include "client/shortest_number.h"

#include <charconv>

namespace heed::client {

double ShortestNumber(float value) {
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof(digits), value);
  double result = value;
  std::from_chars(digits, written.ptr, result);
  return result;
}

}  // namespace heed::client
