// SPDX-License-Identifier: Apache-2.0
// How many file descriptors this process may have, and what for: connections must not take those that models, stored
// sessions and probes need.
#pragma once

#include <cstdint>

namespace heed {

// Raises the process' limit as far as it may, and returns it.
int64_t RaiseDescriptorLimit();
// The limit as it is.
int64_t DescriptorLimit();

struct DescriptorBudget {
  int64_t max_connections = 0;       // of gRPC
  int64_t max_http_connections = 0;  // of probes and scrapes
};

// Shares out `limit` descriptors. `asked`: the connections that the operator wants; 0: 10,000. They get fewer where the
// limit is too small: 256 descriptors are left for everything else, or half of a limit below 512.
DescriptorBudget ShareDescriptors(int64_t limit, int64_t asked);

}  // namespace heed
