// SPDX-License-Identifier: Apache-2.0
#include "client/top/metrics_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MetricsPage Page(const std::string& text) {
  absl::StatusOr<MetricsPage> page = MetricsPage::Parse(text);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *std::move(page) : MetricsPage();
}

TEST(MetricsPage, HoldsEachSeriesByNameAndLabels) {
  const MetricsPage page = Page(
      "# HELP heed_requests_total Requests answered, by gRPC status code.\n"
      "# TYPE heed_requests_total counter\n"
      "heed_requests_total{code=\"OK\",method=\"heed.v1.QuestionAnsweringService/Ask\",model=\"ntm\"} 12\n"
      "heed_requests_total{code=\"OK\",method=\"heed.v1.QuestionAnsweringService/Tell\",model=\"ntm\"} 30\n"
      "heed_requests_total{code=\"INTERNAL\",method=\"heed.v1.QuestionAnsweringService/Ask\",model=\"ntm\"} 2\n"
      "\n"
      "heed_threads 2\n");
  EXPECT_EQ(page.Sum("heed_threads"), 2);
  EXPECT_EQ(page.Sum("heed_requests_total"), 44);
  EXPECT_EQ(page.Sum("heed_requests_total", {{"method", "heed.v1.QuestionAnsweringService/Ask"}}), 14);
  EXPECT_EQ(page.Sum("heed_requests_total", {{"method", "heed.v1.QuestionAnsweringService/Ask"}, {"code", "OK"}}), 12);
  EXPECT_EQ(page.Sum("heed_requests_total", {{"method", "heed.v1.QuestionAnsweringService/Chat"}}), std::nullopt);
  EXPECT_EQ(page.Sum("heed_requests_total", {{"other", ""}}), std::nullopt);
  EXPECT_EQ(page.Sum("heed_requests"), std::nullopt);
  EXPECT_THAT(page.LabelValues("heed_requests_total", "method"),
              ElementsAre("heed.v1.QuestionAnsweringService/Ask", "heed.v1.QuestionAnsweringService/Tell"));
  EXPECT_THAT(page.LabelValues("heed_threads", "method"), IsEmpty());
  EXPECT_THAT(page.Of("heed_nothing"), IsEmpty());
}

TEST(MetricsPage, LabelValuesMayHoldAnything) {
  const MetricsPage page = Page(
      "m{a=\"quote \\\" backslash \\\\ newline \\n brace } comma , equals =\",b=\"\"} 1\n"
      "m{a=\"ä 🙂\",} 2\n");
  EXPECT_EQ(page.Sum("m", {{"a", "quote \" backslash \\ newline \n brace } comma , equals ="}, {"b", ""}}), 1);
  EXPECT_EQ(page.Sum("m", {{"a", "ä 🙂"}}), 2);
}

TEST(MetricsPage, NumbersMayBeInfiniteOrNone) {
  const MetricsPage page = Page(
      "a +Inf\n"
      "b -Inf\n"
      "c NaN\n"
      "d 1.5e-3\n"
      "e -0\n"
      "f{le=\"+Inf\"} 7\n");
  EXPECT_EQ(page.Sum("a"), INFINITY);
  EXPECT_EQ(page.Sum("b"), -INFINITY);
  EXPECT_TRUE(std::isnan(*page.Sum("c")));
  EXPECT_EQ(page.Sum("d"), 0.0015);
  EXPECT_EQ(page.Sum("e"), 0);
  EXPECT_EQ(page.Sum("f", {{"le", "+Inf"}}), 7);
}

TEST(MetricsPage, BlanksTimesAndCommentsDoNotMatter) {
  const MetricsPage page = Page(
      "  # a comment { \" }\n"
      "#\n"
      "a:b_c\t {  x = \"1\" , y = \"2\" }  \t3   1700000000000\n"
      "d 4 -1\n"
      "e 5");
  EXPECT_EQ(page.Sum("a:b_c", {{"x", "1"}, {"y", "2"}}), 3);
  EXPECT_EQ(page.Sum("d"), 4);
  EXPECT_EQ(page.Sum("e"), 5);
}

TEST(MetricsPage, WhatIsNotOfTheFormatIsNamedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"<html>", "a metric's name is missing"},
      {"1a 2", "a metric's name is missing"},
      {"a", "'' is no number"},
      {"a one", "'one' is no number"},
      {"a 1 2 3", "more follows the time"},
      {"a 1 x", "'x' is no time in milliseconds"},
      {"a{b} 1", "label b has no value"},
      {"a{b=1} 1", "a label's value is not in quotes"},
      {"a{b=\"1} 1", "a label's value does not end"},
      {"a{b=\"\\x\"} 1", "a label's value has an unknown escape"},
      {"a{b=\"1\"", "the labels do not end"},
      {"a{b=\"1\" c=\"2\"} 1", "the labels do not end"},
      {"a{b:c=\"1\"} 1", "label b has no value"},
      {"a{,} 1", "a label's name is missing"},
      {"a{b=\"1\",b=\"2\"} 1", "label b is there twice"},
      {"good 2", "a series of good that is there already"},
  };
  for (const auto& [line, message] : cases) {
    const absl::StatusOr<MetricsPage> page = MetricsPage::Parse("good 1\n" + line + "\n");
    ASSERT_FALSE(page.ok()) << line;
    EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(page.status().message()), HasSubstr("line 2: " + message)) << line;
  }
}

TEST(MetricsPage, AnEmptyPageHasNoSeries) {
  EXPECT_EQ(Page("").Sum("a"), std::nullopt);
  EXPECT_EQ(Page("\n\n# EOF\n").Sum("a"), std::nullopt);
}

}  // namespace
}  // namespace heed::client
