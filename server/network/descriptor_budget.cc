// SPDX-License-Identifier: Apache-2.0
#include "server/network/descriptor_budget.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace heed {
namespace {

constexpr int64_t kDefaultConnections = 10'000;
constexpr int64_t kReserve = 256;
constexpr int64_t kMaxHttpConnections = 128;  // out of the reserve

rlimit Limits() {
  rlimit limits{};
  getrlimit(RLIMIT_NOFILE, &limits);
  return limits;
}

}  // namespace

int64_t RaiseDescriptorLimit() {
  rlimit limits = Limits();
  limits.rlim_cur = limits.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limits);
  return DescriptorLimit();
}

int64_t DescriptorLimit() {
  return static_cast<int64_t>(std::min<rlim_t>(Limits().rlim_cur, std::numeric_limits<int32_t>::max()));
}

DescriptorBudget ShareDescriptors(int64_t limit, int64_t asked) {
  const int64_t reserve = std::min(kReserve, limit / 2);
  DescriptorBudget budget;
  budget.max_connections = std::max<int64_t>(1, std::min(asked > 0 ? asked : kDefaultConnections, limit - reserve));
  budget.max_http_connections = std::max<int64_t>(1, std::min(kMaxHttpConnections, reserve / 2));
  return budget;
}

}  // namespace heed
