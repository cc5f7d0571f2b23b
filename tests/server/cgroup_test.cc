#include "server/thread_budget.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace heed {
namespace {

class ThreadBudgetTest : public ::testing::Test {
 protected:
  ThreadBudgetTest() {
    root_ =
        std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
    sources_ = {(root_ / "cgroup").string(), (root_ / "self").string(), 8};
  }
  ~ThreadBudgetTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::filesystem::path root_;
  ThreadBudgetSources sources_;
};

TEST_F(ThreadBudgetTest, CoresWithoutACgroup) { EXPECT_EQ(ThreadBudget(sources_), 8); }

TEST_F(ThreadBudgetTest, AtLeastOneOnThisMachine) { EXPECT_GE(ThreadBudget(), 1); }

TEST_F(ThreadBudgetTest, QuotaOfVersion2) {
  Write("self", "0::/\n");
  Write("cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 3);
}

TEST_F(ThreadBudgetTest, NoQuotaOfVersion2) {
  Write("self", "0::/\n");
  Write("cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 8);
}

TEST_F(ThreadBudgetTest, LeastQuotaOfTheGroupsAbove) {
  Write("self", "0::/pods/one/two\n");
  Write("cgroup/pods/cpu.max", "200000 100000\n");
  Write("cgroup/pods/one/cpu.max", "max 100000\n");
  Write("cgroup/pods/one/two/cpu.max", "600000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 2);
}

TEST_F(ThreadBudgetTest, QuotaOfVersion1) {
  Write("self", "5:memory:/box\n4:cpu,cpuacct:/box\n");
  Write("cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "400000\n");
  Write("cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 4);
}

TEST_F(ThreadBudgetTest, NoQuotaOfVersion1) {
  Write("self", "4:cpu,cpuacct:/\n");
  Write("cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 8);
}

TEST_F(ThreadBudgetTest, FractionsAreRoundedDownButNotToNothing) {
  Write("self", "0::/\n");
  Write("cgroup/cpu.max", "250000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 2);
  Write("cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(ThreadBudget(sources_), 1);
}

TEST_F(ThreadBudgetTest, DamagedFilesSetNoLimit) {
  Write("self", "0::/\nnonsense\n");
  Write("cgroup/cpu.max", "many few\n");
  EXPECT_EQ(ThreadBudget(sources_), 8);
}

}  // namespace
}  // namespace heed
