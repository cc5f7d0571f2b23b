// SPDX-License-Identifier: Apache-2.0
// What this process's container grants it, as its cgroup tells: of version 2 or 1. A file that is missing or that
// cannot be understood sets no limit.
#pragma once

#include <cstdint>
#include <string>

namespace heed {

// Where the kernel tells. Tests point it at a directory of their own.
struct CgroupSources {
  std::string cgroup_root = "/sys/fs/cgroup";
  std::string self_cgroup = "/proc/self/cgroup";
};

// In cores: the least CPU quota of the process's group and of those above it. Infinity: none.
double CpuQuota(const CgroupSources& sources = {});

// In bytes: the least memory limit of these groups. 0: none.
int64_t MemoryLimit(const CgroupSources& sources = {});

// For how long quotas held their groups back, since these were made: of the group where that is most.
double CpuThrottledSeconds(const CgroupSources& sources = {});

}  // namespace heed
