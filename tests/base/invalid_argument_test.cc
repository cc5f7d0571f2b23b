// SPDX-License-Identifier: Apache-2.0
#include "base/invalid_argument.h"

#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(InvalidFields, TheFieldTravelsBesideTheMessage) {
  const absl::Status status = InvalidField("options.beam_size", 40, ", must be 1 to 32");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "options.beam_size: 40, must be 1 to 32");
  EXPECT_EQ(FieldOf(status), "options.beam_size");
  EXPECT_EQ(FieldDescription(status), "40, must be 1 to 32");
  EXPECT_EQ(FieldOf(absl::InvalidArgumentError("options.beam_size: 40")), "");
}

TEST(InvalidFields, TheDescriptionIsWhatFollowsTheField) {
  EXPECT_EQ(FieldDescription(WithField(absl::InvalidArgumentError("texts[3] is not UTF-8"), "texts[3]")),
            "is not UTF-8");
  EXPECT_EQ(FieldDescription(WithField(absl::InvalidArgumentError("message 2: part: no"), "part")), "no");
  EXPECT_EQ(FieldDescription(WithField(absl::InvalidArgumentError("something else"), "part")), "something else");
  EXPECT_EQ(FieldDescription(absl::InvalidArgumentError("no field: at all")), "no field: at all");
}

TEST(InvalidFields, AnOuterFieldStandsBeforeAnInnerOne) {
  const absl::Status inner = WithinField("queries[2].graph", InvalidField("features", "width 0"));
  EXPECT_EQ(inner.message(), "queries[2].graph.features: width 0");
  EXPECT_EQ(FieldOf(inner), "queries[2].graph.features");
  const absl::Status indexed = WithinField("edges", WithField(absl::InvalidArgumentError("[3] leads nowhere"), "[3]"));
  EXPECT_EQ(indexed.message(), "edges[3] leads nowhere");
  EXPECT_EQ(FieldOf(indexed), "edges[3]");
  const absl::Status plain = WithinField("update", absl::InvalidArgumentError("node 7 is there twice"));
  EXPECT_EQ(plain.message(), "update: node 7 is there twice");
  EXPECT_EQ(FieldOf(plain), "update");
  EXPECT_EQ(WithinField("update", absl::ResourceExhaustedError("full")).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace heed
