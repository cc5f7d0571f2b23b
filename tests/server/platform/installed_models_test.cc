// SPDX-License-Identifier: Apache-2.0
#include "server/platform/installed_models.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

TEST(InstalledModelsTest, AnInstallationHasThemBelowItsPrefix) {
  const TemporaryDirectory prefix;
  std::filesystem::create_directories(prefix.path() / "share/heed/models");
  EXPECT_EQ(ModelsOf(prefix.path() / "bin/heed-server"), prefix.File("share/heed/models"));
}

TEST(InstalledModelsTest, OtherProgramsServeTheWorkingDirectorysWeights) {
  const TemporaryDirectory prefix;
  EXPECT_EQ(ModelsOf(prefix.path() / "bin/heed-server"), "weights");
  std::filesystem::create_directories(prefix.path() / "share/heed");
  prefix.Write("share/heed/models", "a file is no directory of models");
  EXPECT_EQ(ModelsOf(prefix.path() / "bin/heed-server"), "weights");
  EXPECT_EQ(ModelsOf(""), "weights");
}

TEST(InstalledModelsTest, ThisProgramIsTheTests) {
  EXPECT_EQ(ThisProgram().filename(), "heed_server_platform_test");
  EXPECT_TRUE(std::filesystem::is_regular_file(ThisProgram()));
}

}  // namespace
}  // namespace heed
