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
  int64_t max_connections = 0;        // of gRPC
  int64_t max_front_connections = 0;  // of HTTP; 0: it is off
  int64_t max_http_connections = 0;   // of probes and scrapes
};

// Shares out `limit` descriptors. `asked`: the connections of gRPC that the operator wants; 0: 10,000. `asked_front`:
// the same of HTTP; -1: none. They get fewer where the limit is too small, each in the same part: 256 descriptors are
// left for everything else, or half of a limit below 512.
DescriptorBudget ShareDescriptors(int64_t limit, int64_t asked, int64_t asked_front = -1);

}  // namespace heed
