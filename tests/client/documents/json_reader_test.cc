// SPDX-License-Identifier: Apache-2.0
#include "client/documents/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/documents/document_run.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DocumentResult Json(const std::string& source, const TranslateSegment& translate = Shout, const std::string& keys = "",
                    const std::string& skipped = "") {
  DocumentOptions options;
  options.json.keys = *PathPatterns::Parse(keys);
  options.json.skipped = *PathPatterns::Parse(skipped);
  return TranslateText(DocumentFormat::kJson, source, translate, options);
}

TEST(Json, TranslatesStringValuesAndKeepsEveryOtherByte) {
  const std::string source =
      "\xef\xbb\xbf{\r\n\t\"title\" : \"Hello\",\n  \"n\":[1.50e+3 , true,null, \"one\" ,{}, "
      "[]],\"url\":\"https://x.org/a\",\n"
      "\"empty\":\"\", \"deep\":{\"a.b\":{\"c\":\"two words\"}}, \"number\":\"42\"}\n\n";
  EXPECT_EQ(Json(source, Same).text, source);
  EXPECT_EQ(Json(source, Fails).text, source);
  const DocumentResult run = Json(source);
  EXPECT_THAT(TextsOf(run), ElementsAre("Hello", "one", "two words"));
  EXPECT_EQ(run.text,
            "\xef\xbb\xbf{\r\n\t\"title\" : \"HELLO\",\n  \"n\":[1.50e+3 , true,null, \"ONE\" ,{}, "
            "[]],\"url\":\"https://x.org/a\",\n"
            "\"empty\":\"\", \"deep\":{\"a.b\":{\"c\":\"TWO WORDS\"}}, \"number\":\"42\"}\n\n");
  EXPECT_EQ(run.segments[2].line, 4);
}

TEST(Json, EscapesAreReadAndWrittenAsTheDocumentDoes) {
  EXPECT_THAT(TextsOf(Json("[\"a \\\"b\\\" \\\\ \\u00e4\\ud83d\\ude00\"]")),
              ElementsAre("a \"b\" \\ \u00e4\U0001f600"));
  const auto german = [](const Segment&) { return "sch\u00f6n \"ja\"/\t\U0001f600"; };
  EXPECT_EQ(Json("[\"a\"]", german).text, "[\"sch\u00f6n \\\"ja\\\"/\\t\U0001f600\"]");
  EXPECT_EQ(Json("[\"\\u00e4 b\"]", german).text, "[\"sch\\u00f6n \\\"ja\\\"/\\t\\ud83d\\ude00\"]");
  EXPECT_EQ(Json("[\"a\\/b\"]", german).text, "[\"sch\u00f6n \\\"ja\\\"\\/\\t\U0001f600\"]");
  // Half of a pair is no character.
  EXPECT_EQ(Json("[\"a \\ud83d\"]").text, "[\"a \\ud83d\"]");
}

TEST(Json, PathsChooseAndSkip) {
  const std::string source = R"({"a":{"title":"one","b":["two",{"title":"three"}]},"id":"four","x_1":"five"})";
  EXPECT_THAT(TextsOf(Json(source, Shout, "title")), ElementsAre("one", "three"));
  EXPECT_THAT(TextsOf(Json(source, Shout, "a.title,x_*")), ElementsAre("one", "five"));
  EXPECT_THAT(TextsOf(Json(source, Shout, "a.b.*")), ElementsAre("two", "three"));
  EXPECT_THAT(TextsOf(Json(source, Shout, "a.**.title")), ElementsAre("one", "three"));
  EXPECT_THAT(TextsOf(Json(source, Shout, "", "a,id")), ElementsAre("five"));
  EXPECT_THAT(TextsOf(Json(source, Shout, "", "a.b")), ElementsAre("one", "four", "five"));
  EXPECT_THAT(TextsOf(Json(R"({"a.b":"x"})", Shout, "**.a\\.b")), ElementsAre("x"));
  EXPECT_EQ(PathPatterns::Parse("a..b").status().message(),
            "\"a..b\" has an empty key: write keys with '.' between them");
}

TEST(Json, DescriptionsOfArbStay) {
  const std::string source =
      R"({"@@locale":"en","hello":"Hi {name}","@hello":{"description":"A greeting","placeholders":{"name":{}}}})";
  const DocumentResult run = Json(source);
  EXPECT_EQ(
      run.text,
      R"({"@@locale":"en","hello":"HI {name}","@hello":{"description":"A greeting","placeholders":{"name":{}}}})");
}

TEST(Json, PlaceholdersStay) {
  const DocumentResult run = Json(R"({"a":"Hello {{name}}, $t(common.more) and %{count} of {all}, %s"})");
  EXPECT_EQ(run.text, R"({"a":"HELLO {{name}}, $t(common.more) AND %{count} OF {all}, %s"})");
  EXPECT_EQ(run.segments[0].text,
            "Hello <k id=\"1\">{{name}}</k>, <k id=\"2\">$t(common.more)</k> and <k id=\"3\">%{count}</k> of <k "
            "id=\"4\">{all}</k>, <k id=\"5\">%s</k>");
  EXPECT_THAT(Json(R"({"a":"Hello {{name}}"})", [](const Segment&) { return "Hallo"; }).refused,
              ElementsAre("it lost \"{{name}}\""));
  EXPECT_THAT(TextsOf(Json(R"(["{{name}}", "%s", "100% of it"])")), ElementsAre("100% of it"));
}

TEST(Json, AlternativesOfIcuMessagesAreTextsOfTheirOwn) {
  const std::string source =
      R"({"files":"{n, plural, offset:1 =0 {No files} one {# file} other {# files in {dir}}} were found."})";
  const DocumentResult run = Json(source);
  EXPECT_THAT(TextsOf(run), ElementsAre("No files", "<k id=\"1\">#</k> file",
                                        "<k id=\"1\">#</k> files in <k id=\"2\">{dir}</k>", "were found."));
  EXPECT_EQ(run.text,
            R"({"files":"{n, plural, offset:1 =0 {NO FILES} one {# FILE} other {# FILES IN {dir}}} WERE FOUND."})");
  EXPECT_EQ(Json(source, Same).text, source);
}

TEST(Json, TagsInTextsAreMarks) {
  const DocumentResult run = Json(R"({"a":"Read <a href=\"/x\">the page</a> now<br/>please"})");
  EXPECT_EQ(run.segments[0].text, "Read <g id=\"1\">the page</g> now<x id=\"2\"/>please");
  EXPECT_EQ(run.text, R"({"a":"READ <a href=\"/x\">THE PAGE</a> NOW<br/>PLEASE"})");
}

TEST(Json, WhatIsNoJsonIsRefusedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"a\":\n tru}", "file, line 2: expected a value, found \"tru\""},
      {"[1,\n2", "file, line 2: the end is missing, ']'"},
      {"{\"a\" 1}", "file, line 1: expected ':', found \"1\""},
      {"[\"a\\x\"]", "file, line 1: a wrong escape \"\\x\""},
      {"[\"a", "file, line 1: a string without its end"},
      {"[] []", "file, line 1: expected nothing more, found \"[\""},
      {"{1:2}", "file, line 1: expected a key or '}', found \"1\""},
      {"[}", "file, line 1: expected a value or ']', found \"}\""},
      {"// no", "file, line 1: expected a value, found \"/\""},
      {"", "file, line 0: the document has no value"},
  };
  for (const auto& [source, message] : cases)
    EXPECT_THAT(std::string(Json(source).status.message()), HasSubstr(message)) << source;
  EXPECT_THAT(std::string(Json(std::string(2000, '[')).status.message()), HasSubstr("nested deeper than 1000"));
}

}  // namespace
}  // namespace heed::client
