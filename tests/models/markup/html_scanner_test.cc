// SPDX-License-Identifier: Apache-2.0
#include "models/markup/html_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using ::testing::ElementsAre;

// Each token as a letter of its kind and its bytes.
std::vector<std::string> HtmlTokens(absl::string_view source) {
  std::vector<std::string> tokens;
  std::string together;
  for (const MarkupToken& token : ScanHtml(source)) {
    tokens.push_back(absl::StrCat(std::string(1, "tprcseo"[static_cast<int>(token.kind)]), " ", token.text(source)));
    absl::StrAppend(&together, token.text(source));
  }
  EXPECT_EQ(together, source);
  return tokens;
}

TEST(HtmlScannerTest, TagsAndTextAlternate) {
  EXPECT_THAT(HtmlTokens("a<b>c</b >d"), ElementsAre("t a", "s <b>", "t c", "e </b >", "t d"));
  EXPECT_THAT(HtmlTokens(""), ElementsAre());
}

TEST(HtmlScannerTest, ATagsNameAndEndAreKnown) {
  const absl::string_view source = "<IMG src=x/><br /></P\n>";
  const std::vector<MarkupToken> tokens = ScanHtml(source);
  ASSERT_EQ(tokens.size(), 3u);
  EXPECT_EQ(tokens[0].name(source), "IMG");
  EXPECT_FALSE(tokens[0].self_closing) << "the slash is the value's";
  EXPECT_EQ(tokens[1].name(source), "br");
  EXPECT_TRUE(tokens[1].self_closing);
  EXPECT_EQ(tokens[2].name(source), "P");
}

TEST(HtmlScannerTest, AttributesMayHoldWhatEndsTags) {
  EXPECT_THAT(HtmlTokens("<a title='>' b=\"<i>\" c=d>e"), ElementsAre("s <a title='>' b=\"<i>\" c=d>", "t e"));
  EXPECT_THAT(HtmlTokens("<a = >x<a b = '>'>y"), ElementsAre("s <a = >", "t x", "s <a b = '>'>", "t y"));
  EXPECT_THAT(HtmlTokens("<a b=>c"), ElementsAre("s <a b=>", "t c"));
}

TEST(HtmlScannerTest, ASignThatBeginsNoTagIsText) {
  EXPECT_THAT(HtmlTokens("1 < 2 <3 <- & &amp <"), ElementsAre("t 1 < 2 <3 <- & &amp <"));
  EXPECT_THAT(HtmlTokens("a</"), ElementsAre("t a</"));
}

TEST(HtmlScannerTest, CommentsEndWhereBrowsersEndThem) {
  EXPECT_THAT(HtmlTokens("<!-- a > -- b -->c"), ElementsAre("o <!-- a > -- b -->", "t c"));
  EXPECT_THAT(HtmlTokens("<!-->a<!--->b<!--c--!>d"),
              ElementsAre("o <!-->", "t a", "o <!--->", "t b", "o <!--c--!>", "t d"));
  EXPECT_THAT(HtmlTokens("a<!-- <b>"), ElementsAre("t a", "o <!-- <b>"));
}

TEST(HtmlScannerTest, WhatIsNoTagAndNoTextIsLikeAComment) {
  EXPECT_THAT(HtmlTokens("<!DOCTYPE html><?xml a?><!x><![CDATA[b>c]]></ d></>"),
              ElementsAre("o <!DOCTYPE html>", "o <?xml a?>", "o <!x>", "o <![CDATA[b>", "t c]]>", "o </ d>", "o </>"));
  EXPECT_THAT(HtmlTokens("a<b c='d>e"), ElementsAre("t a", "o <b c='d>e")) << "the source ends within a tag";
}

TEST(HtmlScannerTest, ScriptsAndTitlesHoldNoTags) {
  EXPECT_THAT(HtmlTokens("<script>a<b></i></SCRIPT >c"),
              ElementsAre("s <script>", "r a<b></i>", "e </SCRIPT >", "t c"));
  EXPECT_THAT(HtmlTokens("<title>a<b>&amp;</title>c"), ElementsAre("s <title>", "p a<b>&amp;", "e </title>", "t c"));
  EXPECT_THAT(HtmlTokens("<style></style><textarea>a"), ElementsAre("s <style>", "e </style>", "s <textarea>", "p a"));
  EXPECT_THAT(HtmlTokens("<script>a</scripts>"), ElementsAre("s <script>", "r a</scripts>"));
}

TEST(HtmlScannerTest, AScriptMayHoldACommentThatHoldsAScript) {
  EXPECT_THAT(HtmlTokens("<script><!--<script>a</script>b--></script>c"),
              ElementsAre("s <script>", "r <!--<script>a</script>b-->", "e </script>", "t c"));
  EXPECT_THAT(HtmlTokens("<script><!--></script>c"), ElementsAre("s <script>", "r <!-->", "e </script>", "t c"));
}

TEST(HtmlScannerTest, InSvgTitlesHaveTagsAndThereAreCharacterSections) {
  EXPECT_THAT(HtmlTokens("<svg><title><b/></title><![CDATA[<p>]]></svg>"),
              ElementsAre("s <svg>", "s <title>", "s <b/>", "e </title>", "o <![CDATA[<p>]]>", "e </svg>"));
  EXPECT_THAT(HtmlTokens("<svg><p><title><b></title>"),
              ElementsAre("s <svg>", "s <p>", "s <title>", "p <b>", "e </title>"))
      << "a paragraph ends it";
}

TEST(HtmlScannerTest, HostileSourcesTakeLinearTime) {
  for (const char* piece :
       {"<", "<a", "<a ", "<a b=\"", "<!--", "</", "<script>", "<title>", "&", "<svg>", "<![CDATA[", "-"}) {
    std::string source;
    while (source.size() < 1 << 20) source += piece;
    size_t size = 0;
    for (const MarkupToken& token : ScanHtml(source)) size += token.end - token.begin;
    EXPECT_EQ(size, source.size()) << piece;
  }
}

}  // namespace
}  // namespace heed
