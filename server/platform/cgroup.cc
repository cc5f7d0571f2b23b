// SPDX-License-Identifier: Apache-2.0
#include "server/platform/cgroup.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace heed {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();
// Version 1 writes "none" as the largest multiple of a page.
constexpr int64_t kMaxBytes = int64_t{1} << 60;

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

int64_t Bytes(const std::string& path) {
  int64_t bytes = 0;
  return absl::SimpleAtoi(FirstLine(path), &bytes) && bytes > 0 && bytes < kMaxBytes ? bytes : kMaxBytes;
}

// The number beside `name` in a file of lines "NAME NUMBER".
double Named(const std::string& path, absl::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    double number = 0;
    if (fields.size() == 2 && fields[0] == name && absl::SimpleAtod(fields[1], &number)) return number;
  }
  return 0;
}

// The group `path` below `root` and those above it, `root` included. Inside a container `path` may be the host's name
// of a group that is mounted as `root` itself; then only `root` is there.
std::vector<std::string> WithParents(const std::string& root, std::string path) {
  std::vector<std::string> directories = {root};
  while (path.size() > 1) {
    directories.push_back(root + path);
    path.resize(path.rfind('/'));
  }
  return directories;
}

struct GroupDirectory {
  std::string path;
  bool is_version2;
};

// Where the limits of the version 1 controller, or of all of version 2, stand.
std::vector<GroupDirectory> Directories(const CgroupSources& sources, absl::string_view controller) {
  std::vector<GroupDirectory> result;
  const auto add = [&](const std::string& root, const std::string& path, bool is_version2) {
    for (std::string& directory : WithParents(root, path)) result.push_back({std::move(directory), is_version2});
  };
  std::ifstream groups(sources.self_cgroup);
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" is version 2's group; "4:cpu,cpuacct:/path" one of version 1.
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || !absl::StartsWith(fields[2], "/")) continue;
    if (fields[1].empty()) {
      add(sources.cgroup_root, fields[2], true);
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), controller) == controllers.end()) continue;
    add(absl::StrCat(sources.cgroup_root, "/", fields[1]), fields[2], false);
    if (controllers.size() > 1) add(absl::StrCat(sources.cgroup_root, "/", controller), fields[2], false);
  }
  return result;
}

}  // namespace

double CpuQuota(const CgroupSources& sources) {
  double least = kUnlimited;
  for (const GroupDirectory& group : Directories(sources, "cpu")) {
    if (group.is_version2) {
      const std::vector<std::string> fields = absl::StrSplit(FirstLine(group.path + "/cpu.max"), ' ');
      if (fields.size() == 2) least = std::min(least, Quota(fields[0], fields[1]));  // "max 100000": no limit
    } else {
      least = std::min(
          least, Quota(FirstLine(group.path + "/cpu.cfs_quota_us"), FirstLine(group.path + "/cpu.cfs_period_us")));
    }
  }
  return least;
}

int64_t MemoryLimit(const CgroupSources& sources) {
  int64_t least = kMaxBytes;
  for (const GroupDirectory& group : Directories(sources, "memory")) {
    least = std::min(least, Bytes(group.path + (group.is_version2 ? "/memory.max" : "/memory.limit_in_bytes")));
  }
  return least == kMaxBytes ? 0 : least;
}

double CpuThrottledSeconds(const CgroupSources& sources) {
  double most = 0;
  for (const GroupDirectory& group : Directories(sources, "cpu")) {
    const std::string path = group.path + "/cpu.stat";
    most =
        std::max(most, group.is_version2 ? Named(path, "throttled_usec") * 1e-6 : Named(path, "throttled_time") * 1e-9);
  }
  return most;
}

}  // namespace heed
