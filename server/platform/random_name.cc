// SPDX-License-Identifier: Apache-2.0
#include "server/platform/random_name.h"

#include <sys/random.h>

#include "absl/strings/escaping.h"

namespace heed {

std::string RandomName(size_t bytes) {
  std::string random(bytes, '\0');
  size_t filled = 0;
  while (filled < bytes) {  // a signal may interrupt it
    const ssize_t n = getrandom(random.data() + filled, bytes - filled, 0);
    if (n > 0) filled += static_cast<size_t>(n);
  }
  return absl::BytesToHexString(random);
}

}  // namespace heed
