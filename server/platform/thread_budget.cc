// SPDX-License-Identifier: Apache-2.0
#include "server/platform/thread_budget.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace heed {
namespace {

int Cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int ThreadBudget(const CgroupSources& sources, int cores) {
  if (cores <= 0) cores = Cores();
  return std::max(1, static_cast<int>(std::min(CpuQuota(sources), static_cast<double>(cores))));
}

}  // namespace heed
