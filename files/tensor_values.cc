// SPDX-License-Identifier: Apache-2.0
#include "files/tensor_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace heed {
namespace {

// Of `tensor`, values [first, last). The loop has no branch, so that the compiler makes vectors of it.
template <typename Bits>
bool HasExponent(const StoredTensor& tensor, int64_t first, int64_t last, Bits exponent) {
  Bits found = 0;
  for (int64_t i = first; i < last; ++i) {
    Bits bits;
    std::memcpy(&bits, tensor.data + static_cast<size_t>(i) * sizeof(Bits), sizeof(Bits));
    found = static_cast<Bits>(found | ((bits & exponent) == exponent));
  }
  return found != 0;
}

// Whether one of them is infinite or NaN once it is a float.
bool HasNonFinite(const StoredTensor& tensor, int64_t first, int64_t last) {
  switch (tensor.dtype) {
    case DType::kF32:
      return HasExponent<uint32_t>(tensor, first, last, 0x7F800000u);
    case DType::kF16:
      return HasExponent<uint16_t>(tensor, first, last, 0x7C00u);
    case DType::kBF16:
      return HasExponent<uint16_t>(tensor, first, last, 0x7F80u);
    default:
      for (int64_t i = first; i < last; ++i) {
        if (!std::isfinite(tensor.ValueAt(i))) return true;
      }
      return false;
  }
}

}  // namespace

int64_t FirstNonFinite(const StoredTensor& tensor) {
  constexpr int64_t kBlock = 4096;
  const int64_t size = tensor.size();
  for (int64_t first = 0; first < size; first += kBlock) {
    const int64_t last = std::min(size, first + kBlock);
    if (!HasNonFinite(tensor, first, last)) continue;
    for (int64_t i = first; i < last; ++i) {
      if (!std::isfinite(tensor.ValueAt(i))) return i;
    }
  }
  return -1;
}

int64_t FirstDifference(const StoredTensor& a, const StoredTensor& b) {
  if (a.dtype == b.dtype && (a.data == b.data || std::memcmp(a.data, b.data, a.bytes) == 0)) return -1;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (a.ValueAt(i) != b.ValueAt(i)) return i;
  }
  return -1;
}

std::string PlaceName(int64_t i, const std::vector<int64_t>& shape) {
  std::vector<int64_t> place(shape.size());
  for (size_t dimension = shape.size(); dimension-- > 0;) {
    place[dimension] = i % shape[dimension];
    i /= shape[dimension];
  }
  return ShapeName(place);
}

std::vector<float> ReadFloats(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = tensor.ValueAt(static_cast<int64_t>(i));
  return values;
}

}  // namespace heed
