// SPDX-License-Identifier: Apache-2.0
#include "files/fingerprint.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

TEST(Fingerprint, DependsOnEveryByteAndOnWhereFilesEnd) {
  TemporaryDirectory directory;
  const auto of = [&](const std::string& first, const std::string& second) {
    directory.Write("a", first);
    directory.Write("b", second);
    return *FingerprintOfFiles({directory.File("a"), directory.File("b")});
  };
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(of(large, "y"), of(large, "y"));
  EXPECT_EQ(of(large, "y").size(), 32u);
  EXPECT_NE(of(large, "y"), of(large, "z"));
  EXPECT_NE(of("ab", "c"), of("a", "bc"));
  EXPECT_NE(of("", "a"), of("a", ""));
}

TEST(Fingerprint, NamesAFileThatIsNotThere) {
  TemporaryDirectory directory;
  const auto status = FingerprintOfFiles({directory.File("missing")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("missing"), absl::string_view::npos);
}

}  // namespace
}  // namespace heed
