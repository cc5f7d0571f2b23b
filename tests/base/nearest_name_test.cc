// SPDX-License-Identifier: Apache-2.0
#include "base/nearest_name.h"

#include <gtest/gtest.h>

namespace heed {
namespace {

TEST(NearestName, DistanceCountsLettersToMend) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("beam", "bean"), 1u);
  EXPECT_EQ(EditDistance("transalte", "translate"), 1u);  // neighbors swapped
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(NearestName, IsNearEnoughOrNone) {
  const std::vector<std::string> names = {"models",         "model_versions", "listen",
                                          "metrics_listen", "tls_cert",       "tls_key"};
  EXPECT_EQ(NearestName("model", names), "models");
  EXPECT_EQ(NearestName("lisen", names), "listen");
  EXPECT_EQ(NearestName("metrics", names), "metrics_listen") << "the only one that begins so";
  EXPECT_EQ(NearestName("tls_", names), "") << "several do";
  EXPECT_EQ(NearestName("tls_kye", names), "tls_key");
  EXPECT_EQ(NearestName("port", names), "");
  EXPECT_EQ(NearestName("", names), "");
  EXPECT_EQ(NearestName(std::string(1 << 20, 'm'), names), "");
  EXPECT_EQ(NearestName("models", {}), "");
}

TEST(NearestName, AsAPartOfASentence) {
  EXPECT_EQ(DidYouMean("lisen", {"listen"}, "--"), "; did you mean --listen?");
  EXPECT_EQ(DidYouMean("port", {"listen"}, "--"), "");
}

}  // namespace
}  // namespace heed
