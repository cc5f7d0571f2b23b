// SPDX-License-Identifier: Apache-2.0
#include "base/listen_address.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddressTest, HostAndPortAreRead) {
  struct Example {
    std::string text, host;
    int port;
    bool is_local;
  };
  for (const Example& example : std::vector<Example>{{"127.0.0.1:50051", "127.0.0.1", 50051, true},
                                                     {"localhost:0", "localhost", 0, true},
                                                     {"[::1]:65535", "::1", 65535, true},
                                                     {"[::]:1", "::", 1, false},
                                                     {"0.0.0.0:1", "0.0.0.0", 1, false},
                                                     {":8002", "", 8002, false},
                                                     {"heed.example:1", "heed.example", 1, false},
                                                     {"[fe80::1%eth0]:1", "fe80::1%eth0", 1, false}}) {
    const auto address = ListenAddress::Parse(example.text);
    ASSERT_TRUE(address.ok()) << example.text << ": " << address.status();
    EXPECT_EQ(address->host, example.host) << example.text;
    EXPECT_EQ(address->port, example.port) << example.text;
    EXPECT_EQ(address->unix_path, "") << example.text;
    EXPECT_EQ(address->IsLocal(), example.is_local) << example.text;
  }
}

TEST(ListenAddressTest, UnixPathsAreRead) {
  for (const char* text : {"unix:/run/heed.sock", "unix:///run/heed.sock"}) {
    const auto address = ListenAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->unix_path, "/run/heed.sock");
    EXPECT_TRUE(address->IsLocal());
  }
  EXPECT_EQ(ListenAddress::Parse("unix:heed.sock")->unix_path, "heed.sock");
  EXPECT_TRUE(ListenAddress::Parse("unix:/" + std::string(106, 'x')).ok());
}

TEST(ListenAddressTest, WhatIsWrongIsNamed) {
  struct Example {
    std::string text, reason;
  };
  for (const Example& example : std::vector<Example>{
           {"", "names no port"},
           {"foo", "names no port"},
           {"127.0.0.1", "names no port"},
           {"127.0.0.1:", "names no port"},
           {"[::1]", "names no port after \"]\""},
           {"[::1", "\"[\" has no \"]\""},
           {"[]:1", "no address is in the brackets"},
           {"::1:50051", "an IPv6 address stands in brackets"},
           {"127.0.0.1:99999", "a whole number from 0 to 65535, not \"99999\""},
           {"127.0.0.1:65536", "not \"65536\""},
           {"127.0.0.1:-1", "not \"-1\""},
           {"127.0.0.1:http", "not \"http\""},
           {"127.0.0.1:1.5", "not \"1.5\""},
           {"127.0.0.1:99999999999999999999", "a whole number from 0 to 65535"},
           {"unix:", "names no path"},
           {"unix://", "an absolute path"},
           {"unix://host/path", "an absolute path"},
           {"unix:/" + std::string(107, 'x'), "at most 107 bytes, this one has 108"},
       }) {
    const auto address = ListenAddress::Parse(example.text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << example.text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr(example.reason)) << example.text;
  }
}

}  // namespace
}  // namespace heed
