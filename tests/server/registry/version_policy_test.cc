// SPDX-License-Identifier: Apache-2.0
#include "server/registry/version_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int64_t> Choose(const VersionPolicy& policy, const std::vector<int64_t>& found) {
  const auto chosen = policy.Choose(found);
  EXPECT_TRUE(chosen.ok()) << chosen.status();
  return chosen.value_or(std::vector<int64_t>());
}

TEST(ParseVersion, TakesWholeNumbersFromOne) {
  EXPECT_EQ(*ParseVersion("1"), 1);
  EXPECT_EQ(*ParseVersion("20261125"), 20261125);
  for (const char* wrong : {"", "0", "01", "-1", "+1", "1.0", "v2", " 1", "99999999999999999999"}) {
    EXPECT_EQ(ParseVersion(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
}

TEST(VersionPolicy, LatestAreTheHighestOnes) {
  EXPECT_THAT(Choose({}, {1, 2, 10}), ElementsAre(10));
  EXPECT_THAT(Choose({.latest = 2}, {1, 2, 10}), ElementsAre(2, 10));
  EXPECT_THAT(Choose({.latest = 5}, {1, 2, 10}), ElementsAre(1, 2, 10));
}

TEST(VersionPolicy, ListedOnesMustBeThere) {
  EXPECT_THAT(Choose({.listed = {1, 10}}, {1, 2, 10}), ElementsAre(1, 10));
  const auto missing = VersionPolicy{.listed = {1, 3}}.Choose(std::vector<int64_t>{1, 2});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("version 3 is not there; these are: 1, 2"));
}

TEST(VersionPolicies, NamedModelsHaveTheirOwn) {
  const auto policies = VersionPolicies::Parse("latest:2,en-de=3+1+3,ntm=latest:4");
  ASSERT_TRUE(policies.ok()) << policies.status();
  EXPECT_EQ(policies->Of("other").latest, 2);
  EXPECT_THAT(policies->Of("en-de").listed, ElementsAre(1, 3));
  EXPECT_EQ(policies->Of("ntm").latest, 4);
  EXPECT_EQ(VersionPolicies::Parse("")->Of("any").latest, 1);
}

TEST(VersionPolicies, WrongPartsAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"latest:0", "\"latest:0\": latest: is followed by \"0\""},
      {"latest:x", "\"latest:x\""},
      {"latest", "\"latest\" is no version"},
      {"a=", "\"a=\""},
      {"=1", "no model is named"},
      {"1+2", "as in NAME=1+2"},
      {"a=1,a=2", "model \"a\" has two policies"},
      {"latest:1,latest:2", "given twice"},
      {"a=1+0", "\"0\" is no version"},
  };
  for (const auto& [text, message] : cases) {
    const auto policies = VersionPolicies::Parse(text);
    EXPECT_EQ(policies.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(policies.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace heed
