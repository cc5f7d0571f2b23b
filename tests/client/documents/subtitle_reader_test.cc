// SPDX-License-Identifier: Apache-2.0
#include "client/documents/subtitle_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "tests/client/documents/document_run.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kSrt[] =
    "1\n00:00:01,000 --> 00:00:02,500\nGood morning.\n\n"
    "2\n00:00:03,000 --> 00:00:04,500\n<i>Where is the station,\nplease?</i>\n\n\n"
    "3\n00:00:05,000 --> 00:00:06,500\n{\\an8}- Over there.\n- Thank you.\n\n"
    "4\n00:00:07,000 --> 00:00:08,000\nI went to the\n\n"
    "5\n00:00:08,000 --> 00:00:09,000\nold harbor.\n\n"
    "6\n00:00:10,000 --> 00:00:11,000\n123\n";

TEST(Srt, KeepsEveryByteOfWhatItDoesNotTranslate) {
  for (const std::string& source :
       {std::string(kSrt), "\xef\xbb\xbf" + absl::StrReplaceAll(kSrt, {{"\n", "\r\n"}}),
        std::string("\n\n1\n00:00:01,000 --> 00:00:02,000\n"), std::string(), std::string("x")}) {
    EXPECT_EQ(TranslateText(DocumentFormat::kSrt, source, Same).text, source);
    EXPECT_EQ(TranslateText(DocumentFormat::kSrt, source, Fails).text, source);
  }
}

TEST(Srt, TranslatesTheWordsOnly) {
  const DocumentResult run = TranslateText(DocumentFormat::kSrt, kSrt);
  EXPECT_EQ(run.text,
            "1\n00:00:01,000 --> 00:00:02,500\nGOOD MORNING.\n\n"
            "2\n00:00:03,000 --> 00:00:04,500\n<i>WHERE IS THE STATION, PLEASE?</i>\n\n\n"
            "3\n00:00:05,000 --> 00:00:06,500\n{\\an8}- OVER THERE.\n- THANK YOU.\n\n"
            "4\n00:00:07,000 --> 00:00:08,000\nI WENT TO THE\n\n"
            "5\n00:00:08,000 --> 00:00:09,000\nOLD HARBOR.\n\n"
            "6\n00:00:10,000 --> 00:00:11,000\n123\n");
}

TEST(Srt, ASentenceAcrossCuesIsOneText) {
  const DocumentResult run = TranslateText(DocumentFormat::kSrt, kSrt);
  EXPECT_THAT(TextsOf(run), ElementsAre("Good morning.", "Where is the station, please?", "Over there.", "Thank you.",
                                        "I went to the old harbor."));
  EXPECT_EQ(run.segments[0].line, 3);
  EXPECT_EQ(run.segments[3].line, 14);
  EXPECT_EQ(run.segments[4].line, 18);
}

TEST(Srt, ATranslationIsDividedOverItsCuesByTheirWidth) {
  const std::string source =
      "1\n00:00:01,000 --> 00:00:02,000\nshort\n\n2\n00:00:03,000 --> 00:00:04,000\nand a much longer part.\n";
  const auto translate = [](const Segment&) { return "eins zwei drei vier fuenf sechs sieben acht"; };
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, source, translate).text,
            "1\n00:00:01,000 --> 00:00:02,000\neins zwei\n\n"
            "2\n00:00:03,000 --> 00:00:04,000\ndrei vier fuenf sechs sieben acht\n");
}

TEST(Srt, NoCueBecomesEmpty) {
  const std::string source =
      "1\n00:00:01,000 --> 00:00:02,000\none two\n\n2\n00:00:03,000 --> 00:00:04,000\nthree four\n\n"
      "3\n00:00:05,000 --> 00:00:06,000\nfive.\n";
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, source, [](const Segment&) { return "Ja"; }).text,
            "1\n00:00:01,000 --> 00:00:02,000\nJa\n\n2\n00:00:03,000 --> 00:00:04,000\n\u2026\n\n"
            "3\n00:00:05,000 --> 00:00:06,000\n\u2026\n");
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, source, [](const Segment&) { return "\u662f\u7684\u5417"; }).text,
            "1\n00:00:01,000 --> 00:00:02,000\n\u662f\n\n2\n00:00:03,000 --> 00:00:04,000\n\u7684\n\n"
            "3\n00:00:05,000 --> 00:00:06,000\n\u5417\n");
}

TEST(Srt, LongLinesAreBrokenInTheMiddle) {
  const std::string head = "1\n00:00:01,000 --> 00:00:02,000\n";
  const auto translate = [](const Segment&) { return "Der alte Mann ging jeden Morgen zum Hafen und wartete dort."; };
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, head + "x\n", translate).text,
            head + "Der alte Mann ging jeden Morgen\nzum Hafen und wartete dort.\n");
  DocumentOptions options;
  options.subtitles.keep_line_breaks = true;
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, head + "x\n", translate, options).text,
            head + "Der alte Mann ging jeden Morgen zum Hafen und wartete dort.\n");
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, head + "The long first line\nand two.\n", translate, options).text,
            head + "Der alte Mann ging jeden Morgen zum Hafen\nund wartete dort.\n");
}

TEST(Srt, TagsWithinASentenceGoWithTheServer) {
  const std::string source = "1\n00:00:01,000 --> 00:00:02,000\nYou are <i>so</i> late & <wrong.\n";
  const DocumentResult run = TranslateText(DocumentFormat::kSrt, source);
  ASSERT_EQ(run.segments.size(), 1u);
  EXPECT_EQ(run.segments[0].text, "You are <g id=\"1\">so</g> late &amp; &lt;wrong.");
  EXPECT_EQ(run.segments[0].format, v1::TEXT_FORMAT_XML);
  EXPECT_EQ(run.text, "1\n00:00:01,000 --> 00:00:02,000\nYOU ARE <i>SO</i> LATE & <WRONG.\n");
  const DocumentResult lost = TranslateText(DocumentFormat::kSrt, source, [](const Segment&) { return "so"; });
  EXPECT_THAT(lost.refused, ElementsAre(HasSubstr("it lost \"<i>\"")));
  EXPECT_EQ(lost.text, source);
}

TEST(Srt, ATagAcrossCuesIsClosedAndOpenedAgain) {
  const std::string source =
      "1\n00:00:01,000 --> 00:00:02,000\nHe <b>never\n\n2\n00:00:03,000 --> 00:00:04,000\ncame</b> home.\n";
  EXPECT_EQ(TranslateText(DocumentFormat::kSrt, source).text,
            absl::StrReplaceAll(source, {{"He", "HE"}, {"never", "NEVER"}, {"came", "CAME"}, {"home", "HOME"}}));
  const std::string wrapped =
      "1\n00:00:01,000 --> 00:00:02,000\nHe <b>never</b>\n\n2\n00:00:03,000 --> 00:00:04,000\ncame home.\n";
  const auto translate = [](const Segment&) { return "<g id=\"1\">Nie kam er jemals</g> heim."; };
  EXPECT_EQ(
      TranslateText(DocumentFormat::kSrt, wrapped, translate).text,
      "1\n00:00:01,000 --> 00:00:02,000\n<b>Nie kam er</b>\n\n2\n00:00:03,000 --> 00:00:04,000\n<b>jemals</b> heim.\n");
}

TEST(Vtt, HeadersNotesStylesSettingsAndTagsStay) {
  const std::string source =
      "WEBVTT - A film\nKind: captions\n\nNOTE\nNot for viewers\n\nSTYLE\n::cue { color: red }\n\n"
      "REGION\nid:fred\n\nintro\n00:01.000 --> 00:02.000 align:start line:0\n<v Bob>Hello &amp; welcome.\n\n"
      "00:03.000 --> 00:04.000\n<c.yellow>Read <00:03.500>this &lt;now&gt;</c>\n\n00:05.000 --> 00:06.000\nlast";
  EXPECT_EQ(TranslateText(DocumentFormat::kVtt, source, Same).text, source);
  const DocumentResult run = TranslateText(DocumentFormat::kVtt, source);
  EXPECT_THAT(run.text, HasSubstr("line:0\n<v Bob>HELLO &amp; WELCOME.\n\n"));
  EXPECT_THAT(run.text, HasSubstr("<c.yellow>READ <00:03.500>THIS &lt;NOW></c>\n\n00:05.000 --> 00:06.000\nLAST"));
  EXPECT_THAT(run.text,
              HasSubstr("NOTE\nNot for viewers\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:fred\n\nintro\n"));
  EXPECT_EQ(run.segments[0].text, "Hello & welcome.");
}

TEST(Subtitles, TextThatIsNotUtf8IsRefusedWithTheWayToConvertIt) {
  EXPECT_THAT(
      std::string(TranslateText(DocumentFormat::kSrt, "1\n\xe4\n").status.message()),
      HasSubstr("file, line 2: not UTF-8 at byte 1: if the file is Latin-1, convert it first, `iconv -f ISO-8859-1"));
  EXPECT_THAT(std::string(TranslateText(DocumentFormat::kVtt, std::string("\xff\xfe\x57\x00", 4)).status.message()),
              HasSubstr("file is UTF-16, not UTF-8: convert it first, `iconv -f UTF-16"));
  EXPECT_THAT(std::string(TranslateText(DocumentFormat::kVtt, std::string("W\0E\0", 4)).status.message()),
              HasSubstr("a NUL at byte 2"));
}

}  // namespace
}  // namespace heed::client
