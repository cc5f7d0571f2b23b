// SPDX-License-Identifier: Apache-2.0
// Numbers and texts one after the other in bytes, little-endian; and back, from bytes that may come from anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace heed {

// Integers and floats.
template <typename T>
void PutNumber(std::string& bytes, T value) {
  static_assert(std::is_arithmetic_v<T> && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// Its length (uint64) and its bytes.
inline void PutText(std::string& bytes, absl::string_view text) {
  PutNumber<uint64_t>(bytes, text.size());
  bytes.append(text.data(), text.size());
}

// Takes a value off the front. False: there are not enough bytes, and nothing is taken.
template <typename T>
bool TakeNumber(absl::string_view& bytes, T& value) {
  static_assert(std::is_arithmetic_v<T> && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return true;
}

inline bool TakeText(absl::string_view& bytes, absl::string_view& text) {
  absl::string_view rest = bytes;
  uint64_t size = 0;
  if (!TakeNumber(rest, size) || size > rest.size()) return false;
  text = rest.substr(0, size);
  bytes = rest.substr(size);
  return true;
}

inline bool TakeText(absl::string_view& bytes, std::string& text) {
  absl::string_view view;
  if (!TakeText(bytes, view)) return false;
  text = std::string(view);
  return true;
}

}  // namespace heed
