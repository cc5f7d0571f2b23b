// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/mutators.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace heed {

size_t MutateSafetensors(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateSafetensorsBehind(0, data, size, max_size, seed);
}

size_t MutateSafetensorsBehind(size_t prefix, uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  constexpr size_t kLength = sizeof(uint64_t);
  if (seed % 8 == 0 || size < prefix + kLength || max_size < prefix + kLength) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const size_t behind = size - prefix - kLength;
  uint64_t length = 0;
  std::memcpy(&length, data + prefix, kLength);
  length = std::min<uint64_t>(length, behind);
  const uint8_t* file = data + prefix + kLength;
  std::vector<uint8_t> header(file, file + length), rest(file + length, file + behind);
  std::vector<uint8_t>& changed = seed % 4 == 1 ? rest : header;
  const size_t before = changed.size();
  changed.resize(std::max<size_t>(1, before + max_size - size));
  changed.resize(LLVMFuzzerMutate(changed.data(), before, changed.size()));
  if (prefix + kLength + header.size() + rest.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  length = header.size();
  std::memcpy(data + prefix, &length, kLength);
  std::copy(header.begin(), header.end(), data + prefix + kLength);
  std::copy(rest.begin(), rest.end(), data + prefix + kLength + header.size());
  return prefix + kLength + header.size() + rest.size();
}

}  // namespace heed
