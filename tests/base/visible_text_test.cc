// SPDX-License-Identifier: Apache-2.0
#include "base/visible_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/render/text_width.h"

namespace heed::client {
namespace {

TEST(VisibleText, WhatATerminalObeysIsWrittenOut) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain", "plain"},
      {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
      {"\x1b]0;title\a", "\\x1b]0;title\\x07"},
      {std::string("nul\0!", 5), "nul\\x00!"},
      {"\x08\x7f\x0b\x0c", "\\x08\\x7f\\x0b\\x0c"},
      {"\u009b31m", "\\x9b31m"},  // CSI in one character
      {"\x9b"
       "31m",
       "\\x9b31m"},  // and in one byte
      {"\xff\xc3(\xe2\x82", "\\xff\\xc3(\\xe2\\x82"},
      {"\u202Eevil\u202C", "\\u202eevil\\u202c"},
      {"\u2066a\u2069\u2028\u2029", "\\u2066a\\u2069\\u2028\\u2029"},
      {"Wo ist \u00e4 \u65e5\u672c \U0001F468\u200d\U0001F469?",
       "Wo ist \u00e4 \u65e5\u672c \U0001F468\u200d\U0001F469?"},
      {"\u05d0\u200e\u0628\u200f", "\u05d0\u200e\u0628\u200f"},  // marks of ordinary Hebrew and Arabic text
      {"a\\x1b", "a\\x1b"},
  };
  for (const auto& [text, visible] : cases) {
    EXPECT_EQ(VisibleLine(text), visible);
    EXPECT_EQ(VisibleLines(text), visible);
    EXPECT_EQ(VisibleLine(visible), visible);
  }
}

TEST(VisibleText, OneLineIsOneLine) {
  EXPECT_EQ(VisibleLine("a\tb\r\nc\nd"), "a b  c d");
  EXPECT_EQ(VisibleLines("a\tb\r\nc\nd"), "a\tb\\x0d\nc\nd");
}

TEST(VisibleText, JsonKeepsItsValueAndIsVisible) {
  const nlohmann::ordered_json json = {{"a", "\x1b[1m\u009b\x7f\u202e\n\u00e4\u2028"}, {"b", {1, 2}}};
  const std::string line = JsonText(json);
  EXPECT_EQ(line, "{\"a\":\"\\u001b[1m\\u009b\\u007f\\u202e\\n\u00e4\\u2028\",\"b\":[1,2]}");
  EXPECT_EQ(nlohmann::ordered_json::parse(line), json);
  const std::string lines = JsonText(json, 2);
  EXPECT_EQ(lines,
            "{\n  \"a\": \"\\u001b[1m\\u009b\\u007f\\u202e\\n\u00e4\\u2028\",\n  \"b\": [\n    1,\n    2\n  ]\n}");
  EXPECT_EQ(JsonText({{"broken", "\xff"}}), "{\"broken\":\"\uFFFD\"}");
}

}  // namespace
}  // namespace heed::client
