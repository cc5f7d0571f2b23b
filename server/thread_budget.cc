#include "server/thread_budget.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

std::string FirstLine(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

double Quota(absl::string_view quota, absl::string_view period) {
  double quota_us = 0, period_us = 0;
  if (!absl::SimpleAtod(quota, &quota_us) || !absl::SimpleAtod(period, &period_us)) return kUnlimited;
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : kUnlimited;
}

double QuotaOfVersion2(const std::string& directory) {
  const std::vector<std::string> fields = absl::StrSplit(FirstLine(directory + "/cpu.max"), ' ');
  return fields.size() == 2 ? Quota(fields[0], fields[1]) : kUnlimited;  // "max 100000": no limit
}

double QuotaOfVersion1(const std::string& directory) {
  return Quota(FirstLine(directory + "/cpu.cfs_quota_us"), FirstLine(directory + "/cpu.cfs_period_us"));
}

// The least quota of the group `path` and of those above it, up to `root`. Inside a container `path` may be the host's
// name of a group that is mounted as `root` itself; then only `root` is found.
template <typename QuotaOf>
double LeastQuota(const std::string& root, std::string path, QuotaOf quota_of) {
  double least = quota_of(root);
  while (path.size() > 1) {
    least = std::min(least, quota_of(root + path));
    path.resize(path.rfind('/'));
  }
  return least;
}

int Cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int ThreadBudget(const ThreadBudgetSources& sources) {
  double quota = kUnlimited;
  std::ifstream groups(sources.self_cgroup);
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" is version 2's group; "4:cpu,cpuacct:/path" one of version 1.
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || !absl::StartsWith(fields[2], "/")) continue;
    if (fields[1].empty()) {
      quota = std::min(quota, LeastQuota(sources.cgroup_root, fields[2], QuotaOfVersion2));
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") == controllers.end()) continue;
    for (const std::string& name : {fields[1], std::string("cpu")}) {
      quota = std::min(quota, LeastQuota(absl::StrCat(sources.cgroup_root, "/", name), fields[2], QuotaOfVersion1));
    }
  }
  const int cores = sources.cores > 0 ? sources.cores : Cores();
  return std::max(1, static_cast<int>(std::min(quota, static_cast<double>(cores))));
}

}  // namespace heed
