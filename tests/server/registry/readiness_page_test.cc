// SPDX-License-Identifier: Apache-2.0
#include "server/registry/readiness_page.h"

#include <string>
#include <vector>

#include "base/one_line.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ModelStatus Of(const std::string& name, ModelState state, int64_t version = 1) {
  ModelStatus status;
  status.name = name;
  status.version = version;
  status.state = state;
  status.is_default = state == ModelState::kReady;
  if (state == ModelState::kUnavailable) status.reason = absl::InvalidArgumentError("is bad");
  return status;
}

TEST(ReadinessTest, AnyModelThatServesIsEnough) {
  ReadinessInputs inputs;
  inputs.loaded = true;
  EXPECT_THAT(ReasonsNotToBeReady(inputs, {}), ElementsAre("there is no model"));
  const std::vector<ModelStatus> bad = {Of("a", ModelState::kUnavailable), Of("b", ModelState::kUnloaded)};
  EXPECT_THAT(ReasonsNotToBeReady(inputs, bad), ElementsAre("no model serves"));
  const std::vector<ModelStatus> one = {Of("a", ModelState::kUnavailable), Of("b", ModelState::kReady)};
  EXPECT_THAT(ReasonsNotToBeReady(inputs, one), IsEmpty());
}

TEST(ReadinessTest, AllModelsMayBeDemanded) {
  ReadinessInputs inputs;
  inputs.loaded = true;
  inputs.needs_all = true;
  EXPECT_THAT(ReasonsNotToBeReady(inputs, {}), ElementsAre("there is no model"));
  const std::vector<ModelStatus> missing = {Of("a", ModelState::kUnavailable), Of("b", ModelState::kReady),
                                            Of("c", ModelState::kLoading)};
  EXPECT_THAT(ReasonsNotToBeReady(inputs, missing),
              ElementsAre("--ready_when=all, and these models do not serve: a, c"));
  // One that was unloaded is not wanted, and an older version serves as well as a newer one.
  const std::vector<ModelStatus> enough = {Of("a", ModelState::kReady, 1), Of("a", ModelState::kUnavailable, 2),
                                           Of("b", ModelState::kUnloaded)};
  EXPECT_THAT(ReasonsNotToBeReady(inputs, enough), IsEmpty());
  const std::vector<ModelStatus> none = {Of("b", ModelState::kUnloaded)};
  EXPECT_THAT(ReasonsNotToBeReady(inputs, none), ElementsAre("no model serves"));
}

TEST(ReadinessTest, WhateverElseIsInTheWayIsSaidToo) {
  const std::vector<ModelStatus> models = {Of("a", ModelState::kReady)};
  ReadinessInputs inputs;
  EXPECT_THAT(ReasonsNotToBeReady(inputs, models),
              ElementsAre("models or stored graphs are still being loaded for the first time"));
  inputs.loaded = true;
  inputs.not_accepting = absl::ResourceExhaustedError("too many open files");
  EXPECT_THAT(ReasonsNotToBeReady(inputs, models), ElementsAre("too many open files"));
  inputs.not_accepting = absl::OkStatus();
  inputs.shutting_down = true;
  EXPECT_THAT(ReasonsNotToBeReady(inputs, models), ElementsAre("the server is shutting down"));
}

TEST(ReadinessTest, TheTextHasALineForEachReasonAndModel) {
  const std::vector<ModelStatus> models = {Of("a", ModelState::kLoading), Of("b", ModelState::kUnavailable, 2),
                                           Of("c", ModelState::kReady)};
  EXPECT_EQ(ReadinessText({}, models), "ready\na 1: is loading\nb 2: is unavailable: is bad\n");
  const std::vector<std::string> reasons = {"one", "two"};
  EXPECT_EQ(ReadinessText(reasons, {}), "not ready\none\ntwo\n");
}

TEST(ReadinessTest, NamesAndReasonsBreakNoLineAndSteerNoTerminal) {
  std::vector<ModelStatus> models = {Of("evil\n\x1b[31m", ModelState::kUnavailable)};
  models[0].reason = absl::InvalidArgumentError("a\r\nready\x07");
  EXPECT_EQ(ReadinessText({}, models), "ready\nevil\\x0a\\x1b[31m 1: is unavailable: a\\x0d\\x0aready\\x07\n");
}

TEST(OneLineTest, WhatPeopleReadStaysAndWhatTerminalsObeyIsSpelledOut) {
  const std::string plain = "Gr\u00fc\u00dfe, \u4f60\u597d, \U0001f600 \\ \"q\"";
  EXPECT_EQ(OneLine(plain), plain);
  EXPECT_EQ(OneLine(std::string("\0\t\x7f", 3)), "\\x00\\x09\\x7f");
  EXPECT_EQ(OneLine("\u009b31m"), "\\xc2\\x9b31m") << "a control sequence of eight bits";
  EXPECT_EQ(OneLine("a\u2028b\u202ec"), "a\\xe2\\x80\\xa8b\\xe2\\x80\\xaec");
  EXPECT_EQ(OneLine("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(OneLine("\xc0\x8a\xed\xa0\x80"), "\\xc0\\x8a\\xed\\xa0\\x80") << "overlong; a surrogate";
}

}  // namespace
}  // namespace heed
