// SPDX-License-Identifier: Apache-2.0
#include "server/registry/model_precisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace heed {
namespace {

using testing::ElementsAre;

std::string ErrorOf(const std::string& all, const std::string& models) {
  const auto precisions = ModelPrecisions::Parse(all, models);
  EXPECT_EQ(precisions.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(precisions.status().message());
}

TEST(ModelPrecisions, NamesAreThoseOfTheEngine) { EXPECT_THAT(PrecisionNames(), ElementsAre("f32", "bf16", "int8")); }

TEST(ModelPrecisions, NamedModelsHaveTheirOwn) {
  EXPECT_EQ(ModelPrecisions().Of("m"), Precision::kF32);
  const auto precisions = ModelPrecisions::Parse("bf16", "en-de=int8,a=b=f32");
  ASSERT_TRUE(precisions.ok()) << precisions.status();
  EXPECT_EQ(precisions->Of("en-de"), Precision::kInt8);
  EXPECT_EQ(precisions->Of("a=b"), Precision::kF32);
  EXPECT_EQ(precisions->Of("a"), Precision::kBf16);
}

TEST(ModelPrecisions, ErrorsSayWhatIsAllowed) {
  EXPECT_EQ(ErrorOf("fp16", ""), "\"fp16\" is no precision, must be one of f32, bf16, int8");
  EXPECT_EQ(ErrorOf("f32", "m=INT8"), "model \"m\": \"INT8\" is no precision, must be one of f32, bf16, int8");
  EXPECT_EQ(ErrorOf("f32", "m="), "model \"m\": \"\" is no precision, must be one of f32, bf16, int8");
  EXPECT_EQ(ErrorOf("f32", "m=int8,m=f32"), "model \"m\" is named twice");
  for (const char* part : {"int8", "=int8"}) {
    EXPECT_EQ(ErrorOf("f32", part), std::string("\"") + part + "\" is not NAME=PRECISION, as in NAME=int8");
  }
}

}  // namespace
}  // namespace heed
