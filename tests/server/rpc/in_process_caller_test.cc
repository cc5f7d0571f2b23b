// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/in_process_caller.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(InProcessCallerTest, TellsWhoAskedForWhat) {
  const auto caller = SignedCaller(SignCaller({"ipv4:10.0.0.1:4567", "POST", "/v2/models/en-de/infer"}));
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->peer, "ipv4:10.0.0.1:4567");
  EXPECT_EQ(caller->method, "POST");
  EXPECT_EQ(caller->path, "/v2/models/en-de/infer");
}

TEST(InProcessCallerTest, WhatAnotherProcessMadeIsNothing) {
  std::string value = SignCaller({"ipv4:10.0.0.1:4567", "POST", "/"});
  value[0] = value[0] == '0' ? '1' : '0';
  EXPECT_FALSE(SignedCaller(value));
  EXPECT_FALSE(SignedCaller("POST / ipv4:10.0.0.1:4567"));
  EXPECT_FALSE(SignedCaller(""));
}

TEST(InProcessCallerTest, APathIsShortAndPlainWhateverItHolds) {
  const std::string value = SignCaller({"unix:", "GET", "/a b\n\xc3\xa4%" + std::string(1000, 'x')});
  EXPECT_TRUE(std::all_of(value.begin(), value.end(), [](char byte) { return byte >= ' ' && byte < 0x7f; }));
  const auto caller = SignedCaller(value);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->path.substr(0, 18), "/a%20b%0A%C3%A4%25");
  EXPECT_LE(caller->path.size(), 3 * kMaxSignedPath);
  EXPECT_EQ(caller->peer, "unix:");
}

}  // namespace
}  // namespace heed
