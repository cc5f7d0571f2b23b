// SPDX-License-Identifier: Apache-2.0
// How many threads of work this process may run at once: what its container grants, not what the node has.
#pragma once

#include "server/platform/cgroup.h"

namespace heed {

// The smaller of the cores and the CPU quota, rounded down: threads beyond the quota would only be throttled. At least
// 1. `cores` 0: those that this process may be scheduled on (sched_getaffinity).
int ThreadBudget(const CgroupSources& sources = {}, int cores = 0);

}  // namespace heed
