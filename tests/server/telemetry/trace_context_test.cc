// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/trace_context.h"

#include <string>

#include "gtest/gtest.h"

namespace heed {
namespace {

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParentId[] = "00f067aa0ba902b7";

TEST(TraceContextTest, ReadsTheSpecificationsExample) {
  const auto parent = ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id, kTraceId);
  EXPECT_EQ(parent->parent_id, kParentId);
}

TEST(TraceContextTest, LaterVersionsMayHaveMoreFields) {
  EXPECT_TRUE(ParseTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings"));
  EXPECT_TRUE(ParseTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  EXPECT_FALSE(ParseTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what"));
  EXPECT_FALSE(ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"));
}

TEST(TraceContextTest, WhatIsNoTraceparentIsNothing) {
  for (const char* text : {
           "",
           "00",
           "00-4bf92f3577b34da6a3ce929d0e0e4736",
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",  // a version that is forbidden
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",  // no trace
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",  // no span
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",  // upper case
           "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",   // a digit short
           "00-4bf92f3577b34da6a3ce929d0e0e47366-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
           "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
       }) {
    EXPECT_FALSE(ParseTraceparent(text)) << text;
  }
}

TEST(TraceContextTest, TheLastBitOfTheFlagsSaysWhetherTheCallerRecords) {
  const std::string start = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
  for (const char* flags : {"01", "03", "ff", "0b"}) EXPECT_TRUE(ParseTraceparent(start + flags)->sampled) << flags;
  for (const char* flags : {"00", "02", "fe", "0a"}) EXPECT_FALSE(ParseTraceparent(start + flags)->sampled) << flags;
}

TEST(TraceContextTest, ATracestateIsPassedOnAsItIsUnlessItIsLong) {
  EXPECT_EQ(ParseTracestate("rojo=00f067aa0ba902b7,congo=t61 rcWkgMzE"), "rojo=00f067aa0ba902b7,congo=t61 rcWkgMzE");
  EXPECT_EQ(ParseTracestate(std::string(kLongestTracestate, 'x')).size(), kLongestTracestate);
  EXPECT_EQ(ParseTracestate(std::string(kLongestTracestate + 1, 'x')), "");
  EXPECT_EQ(ParseTracestate("a=b\r\nc: d"), "");
}

TEST(TraceContextTest, RequestIdsAreVisibleAndNotLong) {
  EXPECT_EQ(ParseRequestId("a-1_2.3/4"), "a-1_2.3/4");
  EXPECT_TRUE(ParseRequestId(std::string(kLongestRequestId, 'x')));
  EXPECT_FALSE(ParseRequestId(std::string(kLongestRequestId + 1, 'x')));
  for (const char* text : {"", "a b", "a\nb", "a\x7f", "gr\xc3\xbc\xc3\x9f"})
    EXPECT_FALSE(ParseRequestId(text)) << text;
}

}  // namespace
}  // namespace heed
