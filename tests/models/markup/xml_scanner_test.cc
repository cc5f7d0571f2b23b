// SPDX-License-Identifier: Apache-2.0
#include "models/markup/xml_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> XmlTokens(absl::string_view source) {
  std::vector<std::string> tokens;
  std::string together;
  const absl::StatusOr<std::vector<MarkupToken>> scanned = ScanXml(source);
  if (!scanned.ok()) return {std::string(scanned.status().message())};
  for (const MarkupToken& token : *scanned) {
    tokens.push_back(absl::StrCat(std::string(1, "tprcseo"[static_cast<int>(token.kind)]), " ", token.text(source)));
    absl::StrAppend(&together, token.text(source));
  }
  EXPECT_EQ(together, source);
  return tokens;
}

std::string ErrorOf(absl::string_view source) { return std::string(ScanXml(source).status().message()); }

TEST(XmlScannerTest, PartsOfDocumentsAreRead) {
  EXPECT_THAT(XmlTokens("a<b c='&lt;' d=\"'\">e<f/>&amp;</b >g"),
              ElementsAre("t a", "s <b c='&lt;' d=\"'\">", "t e", "s <f/>", "t &amp;", "e </b >", "t g"));
  EXPECT_THAT(XmlTokens("<a/><b/>"), ElementsAre("s <a/>", "s <b/>"));
  EXPECT_THAT(XmlTokens(""), ElementsAre());
}

TEST(XmlScannerTest, WholeDocumentsAreRead) {
  EXPECT_THAT(
      XmlTokens(
          "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b '>'><!-- ] > -->]><a>&b;<![CDATA[<c>&]]><?d?><!-- e --></a>"),
      ElementsAre("o <?xml version='1.0'?>", "o <!DOCTYPE a [<!ENTITY b '>'><!-- ] > -->]>", "s <a>", "t &b;",
                  "c <![CDATA[<c>&]]>", "o <?d?>", "o <!-- e -->", "e </a>"));
}

TEST(XmlScannerTest, ErrorsNameThePlaceAndWhatWasExpected) {
  EXPECT_EQ(
      ErrorOf("<p>\n \xc3\xa4<b>x</p>"),
      "not well-formed XML: line 2, column 7: expected </b> for the element that begins at line 2, column 3, not </p>");
  EXPECT_EQ(ErrorOf("a & b"),
            "not well-formed XML: line 1, column 3: expected a reference like \"&amp;\" behind \"&\"");
  EXPECT_THAT(ErrorOf("a < b"), HasSubstr("column 3: expected a tag behind \"<\""));
  EXPECT_THAT(ErrorOf("<a>"), HasSubstr("column 4: expected </a>"));
  EXPECT_THAT(ErrorOf("</a>"), HasSubstr("no element is open"));
  EXPECT_THAT(ErrorOf("<a b=c/>"), HasSubstr("column 6: expected the value of attribute \"b\" in quotes"));
  EXPECT_THAT(ErrorOf("<a b/>"), HasSubstr("expected \"=\""));
  EXPECT_THAT(ErrorOf("<a b='1' b='2'/>"), HasSubstr("column 10: expected attribute \"b\" only once"));
  EXPECT_THAT(ErrorOf("<a b='<'/>"), HasSubstr("\"&lt;\""));
  EXPECT_THAT(ErrorOf("<a b='1'c='2'/>"), HasSubstr("white space"));
  EXPECT_THAT(ErrorOf("<a b='1"), HasSubstr("expected ' for the value"));
  EXPECT_THAT(ErrorOf("<!-- a -- b -->"), HasSubstr("column 8"));
  EXPECT_THAT(ErrorOf("<!-- a"), HasSubstr("expected \"-->\""));
  EXPECT_THAT(ErrorOf("<![CDATA[ a"), HasSubstr("expected \"]]>\""));
  EXPECT_THAT(ErrorOf("a]]>"), HasSubstr("]]&gt;"));
  EXPECT_THAT(ErrorOf("<a/><?xml version='1.0'?>"), HasSubstr("only at the beginning"));
  EXPECT_THAT(ErrorOf("<a/><!DOCTYPE a>"), HasSubstr("before the first element"));
  EXPECT_THAT(ErrorOf("a\x01"), HasSubstr("column 2: expected a character that XML allows"));
  EXPECT_THAT(ErrorOf("&#0;"), HasSubstr("expected a reference"));
}

TEST(XmlScannerTest, HostileSourcesTakeLinearTime) {
  for (const char* piece : {"<a>", "<a b='c' ", "<!--", "&lt;", "&", "<a/>", "<!DOCTYPE [", "]]"}) {
    std::string source;
    while (source.size() < 1 << 20) source += piece;
    (void)ScanXml(source);
  }
  std::string attributes = "<a";
  for (int i = 0; i < 100'000; ++i) absl::StrAppend(&attributes, " b", i, "=''");
  EXPECT_TRUE(ScanXml(attributes + "/>").ok());
}

}  // namespace
}  // namespace heed
