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

DescriptorBudget ShareDescriptors(int64_t limit, int64_t asked, int64_t asked_front) {
  const int64_t reserve = std::min(kReserve, limit / 2);
  const int64_t grpc = asked > 0 ? asked : kDefaultConnections;
  const int64_t front = asked_front > 0 ? asked_front : asked_front < 0 ? 0 : kDefaultConnections;
  const int64_t available = limit - reserve;
  const auto share = [&](int64_t wanted) {
    return std::max<int64_t>(1, grpc + front <= available ? wanted : wanted * available / (grpc + front));
  };
  DescriptorBudget budget;
  budget.max_connections = share(grpc);
  if (front > 0) budget.max_front_connections = share(front);
  budget.max_http_connections = std::max<int64_t>(1, std::min(kMaxHttpConnections, reserve / 2));
  return budget;
}

}  // namespace heed
