// How many threads of work this process may run at once: what its container grants, not what the node has.
#pragma once

#include <string>

namespace heed {

// Where the kernel tells. Tests point it at a directory of their own.
struct ThreadBudgetSources {
  std::string cgroup_root = "/sys/fs/cgroup";
  std::string self_cgroup = "/proc/self/cgroup";
  int cores = 0;  // 0: those that this process may be scheduled on (sched_getaffinity)
};

// The smaller of the cores and the CPU quota of the process's cgroup or of one above it (version 2's cpu.max, version
// 1's cpu.cfs_quota_us), rounded down: threads beyond the quota would only be throttled. At least 1. A file that is
// missing or that cannot be understood sets no limit.
int ThreadBudget(const ThreadBudgetSources& sources = {});

}  // namespace heed
