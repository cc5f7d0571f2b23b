// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/json_messages.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "heed/v1/translation.pb.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Repeat(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(ReadJsonTest, FieldsMayBeSpelledBothWays) {
  for (const char* text : {R"({"texts":["a"],"model":"m"})", R"( { "texts" : [ "a" ] , "model" : "m" } )"}) {
    v1::TranslateRequest request;
    ASSERT_TRUE(ReadJson(text, {}, request).ok()) << text;
    EXPECT_EQ(request.texts(0), "a");
    EXPECT_EQ(request.model(), "m");
  }
}

TEST(ReadJsonTest, WhatTheMessageDoesNotHaveIsNamed) {
  v1::TranslateRequest request;
  EXPECT_THAT(ReadJson(R"({"texs":["a"]})", {}, request).ToString(), HasSubstr("texs"));
  EXPECT_THAT(ReadJson(R"({"texts":7})", {}, request).ToString(), HasSubstr("INVALID_ARGUMENT"));
}

TEST(ReadJsonTest, WhatIsNoObjectIsRefused) {
  for (const char* text : {"", " ", "[]", "7", "\"a\"", "{", "{\"a", "{\"a\\", "{}}", "{}{}", "}", "{]",
                           "{\"texts\":[}", "{\"texts\":[\"\xff\"]}", "null"}) {
    v1::TranslateRequest request;
    EXPECT_FALSE(ReadJson(text, {}, request).ok()) << text;
  }
}

TEST(ReadJsonTest, DepthAndElementsAreBoundedBeforeAnythingIsBuilt) {
  JsonLimits limits;
  limits.max_elements = 10;
  v1::TranslateRequest request;
  EXPECT_THAT(ReadJson(Repeat("{\"a\":", 100'000), {}, request).ToString(), HasSubstr("a depth of more than 64"));
  EXPECT_THAT(ReadJson(absl::StrCat("{\"texts\":[", Repeat("\"\",", 20), "\"\"]}"), limits, request).ToString(),
              HasSubstr("more than 10 texts, objects and arrays"));
  EXPECT_TRUE(ReadJson(R"({"texts":["a","b","c","d"]})", limits, request).ok());
}

std::vector<std::string> Split(const std::string& text) {
  const auto values = SplitJson(text, {});
  if (!values.ok()) return {"error"};
  return {values->begin(), values->end()};
}

TEST(SplitJsonTest, ValuesComeAsAnArrayOrOneAfterTheOther) {
  EXPECT_THAT(Split("[{\"a\":\"]}\"}, {} ,{\"b\":[1,2]}]"), ElementsAre("{\"a\":\"]}\"}", "{}", "{\"b\":[1,2]}"));
  EXPECT_THAT(Split("{\"a\":1}\n{\"b\":\"\\\"}\"}\r\n\n{}"), ElementsAre("{\"a\":1}", "{\"b\":\"\\\"}\"}", "{}"));
  EXPECT_THAT(Split("{}{}"), ElementsAre("{}", "{}"));
  EXPECT_THAT(Split(" [ ] "), ElementsAre());
  EXPECT_THAT(Split(""), ElementsAre());
  EXPECT_THAT(Split("[7,true]"), ElementsAre("7", "true"));
}

TEST(SplitJsonTest, WhatDoesNotEndOrGoesOnIsRefused) {
  for (const char* text :
       {"[", "[{}", "[{},", "[{},]", "[{}]{}", "[{} {}]", "{", "[}", "]", ",", "{}]", "\"a", "[\"a\\\"]"}) {
    EXPECT_THAT(Split(text), ElementsAre("error")) << text;
  }
}

}  // namespace
}  // namespace heed
