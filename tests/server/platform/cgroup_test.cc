// SPDX-License-Identifier: Apache-2.0
#include "server/platform/cgroup.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "server/platform/thread_budget.h"

namespace heed {
namespace {

class CgroupTest : public ::testing::Test {
 protected:
  CgroupTest() {
    root_ =
        std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
    sources_ = {(root_ / "cgroup").string(), (root_ / "self").string()};
  }
  ~CgroupTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::filesystem::path root_;
  CgroupSources sources_;
};

TEST_F(CgroupTest, CoresWithoutACgroup) { EXPECT_EQ(ThreadBudget(sources_, 8), 8); }

TEST_F(CgroupTest, AtLeastOneOnThisMachine) { EXPECT_GE(ThreadBudget(), 1); }

TEST_F(CgroupTest, QuotaOfVersion2) {
  Write("self", "0::/\n");
  Write("cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 3);
}

TEST_F(CgroupTest, NoQuotaOfVersion2) {
  Write("self", "0::/\n");
  Write("cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 8);
}

TEST_F(CgroupTest, LeastQuotaOfTheGroupsAbove) {
  Write("self", "0::/pods/one/two\n");
  Write("cgroup/pods/cpu.max", "200000 100000\n");
  Write("cgroup/pods/one/cpu.max", "max 100000\n");
  Write("cgroup/pods/one/two/cpu.max", "600000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 2);
}

TEST_F(CgroupTest, QuotaOfVersion1) {
  Write("self", "5:memory:/box\n4:cpu,cpuacct:/box\n");
  Write("cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "400000\n");
  Write("cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 4);
}

TEST_F(CgroupTest, NoQuotaOfVersion1) {
  Write("self", "4:cpu,cpuacct:/\n");
  Write("cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 8);
}

TEST_F(CgroupTest, FractionsAreRoundedDownButNotToNothing) {
  Write("self", "0::/\n");
  Write("cgroup/cpu.max", "250000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 2);
  Write("cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_, 8), 1);
}

TEST_F(CgroupTest, LeastMemoryLimitOfTheGroupsAbove) {
  Write("self", "0::/pods/one\n");
  Write("cgroup/pods/memory.max", "1073741824\n");
  Write("cgroup/pods/one/memory.max", "max\n");
  EXPECT_EQ(MemoryLimit(sources_), 1 << 30);
  Write("cgroup/pods/one/memory.max", "4096\n");
  EXPECT_EQ(MemoryLimit(sources_), 4096);
}

TEST_F(CgroupTest, MemoryLimitOfVersion1) {
  Write("self", "5:memory:/box\n4:cpu,cpuacct:/box\n");
  Write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(MemoryLimit(sources_), 0);
  Write("cgroup/memory/box/memory.limit_in_bytes", "8192\n");
  EXPECT_EQ(MemoryLimit(sources_), 8192);
}

TEST_F(CgroupTest, TimeThrottled) {
  Write("self", "0::/pods/one\n");
  EXPECT_EQ(CpuThrottledSeconds(sources_), 0);
  Write("cgroup/pods/one/cpu.stat", "usage_usec 7\nnr_throttled 3\nthrottled_usec 2500000\n");
  Write("cgroup/pods/cpu.stat", "usage_usec 9\nthrottled_usec 1000000\n");
  EXPECT_EQ(CpuThrottledSeconds(sources_), 2.5);
  Write("self", "4:cpu,cpuacct:/box\n");
  Write("cgroup/cpu/box/cpu.stat", "nr_periods 5\nthrottled_time 4000000000\n");
  EXPECT_EQ(CpuThrottledSeconds(sources_), 4);
}

TEST_F(CgroupTest, DamagedFilesSetNoLimit) {
  Write("self", "0::/\nnonsense\n");
  Write("cgroup/cpu.max", "many few\n");
  Write("cgroup/memory.max", "much\n");
  Write("cgroup/cpu.stat", "throttled_usec\nthrottled_usec often\n");
  EXPECT_EQ(MemoryLimit(sources_), 0);
  EXPECT_EQ(CpuThrottledSeconds(sources_), 0);
  EXPECT_EQ(ThreadBudget(sources_, 8), 8);
}

}  // namespace
}  // namespace heed
