// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/log.h"

#include <cmath>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

TEST(LogTest, FieldsKeepTheirOrderAndTypes) {
  const std::string name = "en-de";
  const absl::string_view state = "ready";
  EXPECT_EQ(LogText(LogFormat::kLogfmt, "model",
                    {{"name", name}, {"version", 3}, {"state", state}, {"seconds", 0.25}, {"default", true}}),
            "model name=en-de version=3 state=ready seconds=0.25 default=true");
  EXPECT_EQ(LogText(LogFormat::kJson, "model",
                    {{"name", name}, {"version", 3}, {"state", state}, {"seconds", 0.25}, {"default", true}}),
            R"("event":"model","name":"en-de","version":3,"state":"ready","seconds":0.25,"default":true)");
}

TEST(LogTest, NothingInAValueEndsItsLineOrItsField) {
  const std::string hostile = "a \"b\"=c\\\n2026-01-01T00:00:00Z info forged\x1b[31m\x7f";
  EXPECT_EQ(LogText(LogFormat::kLogfmt, "e", {{"text", hostile}}),
            "e text=\"a \\\"b\\\"=c\\\\\\n2026-01-01T00:00:00Z info forged\\x1b[31m\\x7f\"");
  const auto json = nlohmann::json::parse("{" + LogText(LogFormat::kJson, "e", {{"text", hostile}}) + "}");
  EXPECT_EQ(json["text"], hostile);
  EXPECT_EQ(LogText(LogFormat::kJson, "e", {{"text", hostile}}).find('\n'), std::string::npos);
}

TEST(LogTest, EmptyTextsAndOtherLanguages) {
  EXPECT_EQ(LogText(LogFormat::kLogfmt, "e", {{"a", ""}, {"b", "Grüße"}}), "e a=\"\" b=Grüße");
  EXPECT_EQ(LogText(LogFormat::kJson, "e", {{"a", ""}, {"b", "Grüße"}}), R"("event":"e","a":"","b":"Grüße")");
}

TEST(LogTest, WhatIsNoUtf8IsStillJson) {
  const auto json = nlohmann::json::parse("{" + LogText(LogFormat::kJson, "e", {{"file", "a\xff"}}) + "}");
  EXPECT_EQ(json["file"], "a\xef\xbf\xbd");
}

TEST(LogTest, NumbersThatAreNoneAreNullInJson) {
  EXPECT_EQ(LogText(LogFormat::kJson, "e", {{"x", std::nan("")}, {"y", INFINITY}}), R"("event":"e","x":null,"y":null)");
}

}  // namespace
}  // namespace heed
