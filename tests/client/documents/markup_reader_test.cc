// SPDX-License-Identifier: Apache-2.0
#include "client/documents/markup_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/client/documents/document_run.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// With parts of at most so many bytes.
DocumentResult Markup(const std::string& source, bool xml, size_t part_bytes = 8192,
                      const TranslateSegment& translate = Shout) {
  DocumentResult result;
  std::istringstream in(source);
  TextInput input(in, "file");
  const auto reader = ReadMarkup(input, {.xml = xml, .part_bytes = part_bytes});
  while (true) {
    auto part = reader->Next();
    result.status = part.status();
    if (!part.ok() || !*part) return result;
    std::vector<std::optional<std::string>> translations;
    for (const Segment& segment : (*part)->segments) {
      result.segments.push_back(segment);
      translations.push_back(translate(segment));
    }
    result.text += (*part)->render(translations);
  }
}

constexpr char kHtmlPage[] =
    "<!DOCTYPE html>\n<html lang=en>\n<head><title>A page</title>\n<script>if (a < b) { document.write('<p>no</p>') }"
    "  /* a comment that makes this script longer than what is left within a part, so that it is not sent to anyone, */"
    "  /* whatever else is here, and this is the end of it, at last, after some more words that nobody reads: end. "
    "*/</script>\n"
    "<!-- a comment --></head>\n<body>\n<h1>Title</h1>\n<p>One <b>bold</b> word.\n<p>Two &lt; three.</p>\n"
    "<ul><li>first<li>second</ul>\n<div class=notranslate>stay <b>here</b></div>\n<img src=x alt='A picture'>\n"
    "<p>last</p></body></html>\n";

TEST(Html, ASmallPageIsOnePart) {
  const DocumentResult run = Markup("<p>Hello <b>you</b></p>\n", false);
  ASSERT_EQ(run.segments.size(), 1u);
  EXPECT_EQ(run.segments[0].text, "<p>Hello <b>you</b></p>\n");
  EXPECT_EQ(run.segments[0].format, v1::TEXT_FORMAT_HTML);
  EXPECT_FALSE(run.segments[0].own_marks);
  EXPECT_EQ(run.text, "<p>HELLO <b>YOU</b></p>\n");
}

TEST(Html, PartsAreTheDocumentToTheByte) {
  for (const size_t bytes : {1, 10, 40, 100, 1000, 100000}) {
    for (const std::string& source :
         {std::string(kHtmlPage), absl::StrCat("\xef\xbb\xbf", kHtmlPage), std::string("a < b <"), std::string("<p"),
          std::string("<!-- x"), std::string("</p></div><b><p>x</b>"), std::string("<script>x"), std::string()}) {
      EXPECT_EQ(Markup(source, false, bytes, Same).text, source);
    }
  }
}

TEST(Html, PartsAreCutBetweenBlocks) {
  const DocumentResult run = Markup(kHtmlPage, false, 30);
  EXPECT_THAT(TextsOf(run), testing::Contains(HasSubstr("<p>One <b>bold</b> word.\n")));
  for (const Segment& segment : run.segments) {
    EXPECT_THAT(segment.text, testing::Not(HasSubstr("document.write")));
    EXPECT_EQ(segment.text.find("<b>bold") != std::string::npos, segment.text.find("</b> word") != std::string::npos)
        << segment.text;
  }
  EXPECT_THAT(run.text, HasSubstr("<p>ONE <b>BOLD</b> WORD."));
  EXPECT_EQ(run.segments[0].line, 3);
}

TEST(Xml, PartsAreWellFormed) {
  std::string source = "<?xml version=\"1.0\"?>\n<!DOCTYPE doc [<!ELEMENT doc ANY> <!-- ] > -->]>\n<doc a='>'>\n";
  for (int i = 0; i < 50; ++i)
    absl::StrAppend(&source, "  <item n='", i, "'><name>Name ", i,
                    "</name><![CDATA[<raw>]]> text <b>bold</b></item>\n");
  source += "</doc>\n<!-- end -->\n";
  for (const size_t bytes : {1, 50, 300, 100000}) {
    const DocumentResult run = Markup(source, true, bytes, Same);
    EXPECT_EQ(run.text, source);
    for (const Segment& segment : run.segments) EXPECT_TRUE(Markup(segment.text, true).status.ok()) << segment.text;
  }
  const DocumentResult run = Markup(source, true, 300);
  EXPECT_THAT(run.segments.size(), testing::AllOf(testing::Gt(10u), testing::Lt(40u)));
  EXPECT_EQ(run.segments[0].line, 4);
  EXPECT_EQ(run.segments[0].format, v1::TEXT_FORMAT_XML);
}

TEST(Xml, WhatIsNotWellFormedIsRefusedWithItsLine) {
  for (const auto& [source, message] :
       std::vector<std::pair<std::string, std::string>>{{"<a>\n<b></a>", "file, line 2: </a> where </b> is expected"},
                                                        {"<a>\n<b>x</b>", "file, line 1: <a> is not closed"},
                                                        {"</a>", "file, line 1: </a> where nothing is open"},
                                                        {"<a>x < y</a>", "file, line 1: a '<' that begins no tag"},
                                                        {"<a><!-- x</a>", "file, line 1: \"<!--\" without -->"},
                                                        {"<a b=\"", "file, line 1: a tag without '>'"}}) {
    EXPECT_THAT(std::string(Markup(source, true).status.message()), HasSubstr(message)) << source;
  }
}

TEST(Markup, HostileTextTakesLinearTime) {
  for (const std::string piece :
       {"<", "<a", "<a ", "<!--", "</a>", "<a>", "<a \"", "<![CDATA[", "<script>", "<b><i></b>"}) {
    std::string source;
    while (source.size() < 1000000) source += piece;
    EXPECT_EQ(Markup(source, false, 8192, Same).text.size(), source.size()) << piece;
    Markup(source, true).status.IgnoreError();
  }
}

}  // namespace
}  // namespace heed::client
