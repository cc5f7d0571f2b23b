// SPDX-License-Identifier: Apache-2.0
#include "files/fingerprint.h"

#include <xxhash.h>

#include <cstdint>
#include <fstream>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace heed {

absl::StatusOr<std::string> FingerprintOfFiles(const std::vector<std::string>& paths) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> block(1 << 20);
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
    uint64_t size = 0;
    while (file) {
      file.read(block.data(), static_cast<std::streamsize>(block.size()));
      XXH3_128bits_update(state.get(), block.data(), static_cast<size_t>(file.gcount()));
      size += static_cast<uint64_t>(file.gcount());
    }
    if (!file.eof()) return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
    XXH3_128bits_update(state.get(), &size, sizeof(size));
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace heed
