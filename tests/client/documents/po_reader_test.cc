// SPDX-License-Identifier: Apache-2.0
#include "client/documents/po_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "client/documents/plural_forms.h"
#include "tests/client/documents/document_run.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kHeader[] =
    "# Translations of a program.\n#, fuzzy\nmsgid \"\"\nmsgstr \"\"\n\"Project-Id-Version: x 1.0\\n\"\n"
    "\"Language: \\n\"\n\"MIME-Version: 1.0\\n\"\n\"Content-Type: text/plain; charset=CHARSET\\n\"\n"
    "\"Content-Transfer-Encoding: 8bit\\n\"\n\"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n\"\n\n";

constexpr char kEntries[] =
    "#. A comment\n#: main.c:12\n#, c-format\nmsgctxt \"menu\"\nmsgid \"Open %s\"\nmsgstr \"\"\n\n"
    "msgid \"Done\"\nmsgstr \"Fertig\"\n\n"
    "#, c-format\nmsgid \"%d file\"\nmsgid_plural \"%d files\"\nmsgstr[0] \"\"\nmsgstr[1] \"\"\n\n"
    "msgid \"\"\n\"\\n\"\n\"Usage: tool [OPTION]\\n\"\n\"  --all   show everything\\n\"\nmsgstr \"\"\n\n"
    "#~ msgid \"old\"\n#~ msgstr \"alt\"\n";

DocumentResult Po(const std::string& source, const TranslateSegment& translate = Shout,
                  const std::string& target = "de", bool fuzzy = true, bool retranslate = false) {
  DocumentOptions options;
  options.po = {.target_language = target, .mark_fuzzy = fuzzy, .retranslate = retranslate};
  return TranslateText(DocumentFormat::kPo, source, translate, options);
}

TEST(Po, WhatIsNotTranslatedStaysToTheByte) {
  for (const std::string& source :
       {std::string(kEntries), absl::StrCat("\xef\xbb\xbf", kEntries), std::string("# only\n\n\n"),
        std::string("\n\nmsgid \"a\"\nmsgstr \"\""), std::string()}) {
    EXPECT_EQ(Po(source, Fails, "").text, source);
  }
}

TEST(Po, EntriesWithoutATranslationGetOne) {
  const DocumentResult run = Po(kEntries);
  EXPECT_EQ(
      run.text,
      "#. A comment\n#: main.c:12\n#, fuzzy, c-format\nmsgctxt \"menu\"\nmsgid \"Open %s\"\nmsgstr \"OPEN %s\"\n\n"
      "msgid \"Done\"\nmsgstr \"Fertig\"\n\n"
      "#, fuzzy, c-format\nmsgid \"%d file\"\nmsgid_plural \"%d files\"\nmsgstr[0] \"%d FILE\"\nmsgstr[1] \"%d "
      "FILES\"\n\n"
      "#, fuzzy\nmsgid \"\"\n\"\\n\"\n\"Usage: tool [OPTION]\\n\"\n\"  --all   show everything\\n\"\n"
      "msgstr \"\"\n\"\\n\"\n\"USAGE: TOOL [OPTION]\\n\"\n\"  --ALL   SHOW EVERYTHING\\n\"\n\n"
      "#~ msgid \"old\"\n#~ msgstr \"alt\"\n");
  EXPECT_EQ(run.segments[0].line, 5);
  EXPECT_THAT(Po(kEntries, Shout, "de", /*fuzzy=*/false).text, Not(HasSubstr("fuzzy")));
  EXPECT_THAT(Po(kEntries, Shout, "de", true, /*retranslate=*/true).text,
              HasSubstr("#, fuzzy\nmsgid \"Done\"\nmsgstr \"DONE\""));
}

TEST(Po, TheHeaderNamesTheLanguageAndItsPlurals) {
  const std::string text = Po(kHeader, Shout, "pt-BR").text;
  EXPECT_THAT(text, HasSubstr("\"Language: pt_BR\\n\""));
  EXPECT_THAT(text, HasSubstr("charset=UTF-8\\n\""));
  EXPECT_THAT(text, HasSubstr("\"Plural-Forms: nplurals=2; plural=(n > 1);\\n\""));
  EXPECT_THAT(text, HasSubstr("\"Project-Id-Version: x 1.0\\n\""));
  EXPECT_THAT(
      std::string(Po("msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=ISO-8859-1\\n\"\n").status.message()),
      HasSubstr("the header says charset=ISO-8859-1: convert the file first, `msgconv -t UTF-8"));
}

TEST(Po, PluralsHaveTheFormsOfTheTargetLanguage) {
  const std::string entry =
      "#, c-format\nmsgid \"One file\"\nmsgid_plural \"%d files\"\nmsgstr[0] \"\"\nmsgstr[1] \"\"\n";
  EXPECT_THAT(Po(entry, Shout, "ja", false).text, HasSubstr("\"%d files\"\nmsgstr[0] \"%d FILES\"\n"));
  // Russian's first form is of 1, 21, 31, ...: it needs the number.
  EXPECT_THAT(Po(entry, Shout, "ru", false).text,
              HasSubstr("msgstr[0] \"%d FILES\"\nmsgstr[1] \"%d FILES\"\nmsgstr[2] \"%d FILES\"\n"));
  EXPECT_THAT(Po(entry, Shout, "pl", false).text, HasSubstr("msgstr[0] \"ONE FILE\"\nmsgstr[1] \"%d FILES\"\n"));
  EXPECT_THAT(Po(entry, Shout, "ar", false).text, HasSubstr("msgstr[0] \"%d FILES\"\nmsgstr[1] \"ONE FILE\"\n"));
}

TEST(Po, ATranslationWithTheDirectivesInAnotherOrderIsRefused) {
  const std::string entry = "#, c-format\nmsgid \"Copy %s to %d\"\nmsgstr \"\"\n";
  for (const auto& [translation, message] : std::vector<std::pair<std::string, std::string>>{
           {"Kopie <k id=\"1\">%s</k>", "it lost \"%d\""},
           {"<k id=\"2\">%d</k> nach <k id=\"1\">%s</k>", "it has \"%d\" where the source has \"%s\""},
           {"<k id=\"1\">%s</k> nach <k id=\"2\">%d</k> %d", "it has \"%d\", which the source has not"}}) {
    const DocumentResult run = Po(entry, [&](const Segment&) { return translation; });
    EXPECT_THAT(run.refused, ElementsAre(message));
    EXPECT_EQ(run.text, entry);
  }
  EXPECT_THAT(Po("#, python-format\nmsgid \"%(a)s in %(b)s\"\nmsgstr \"\"\n",
                 [](const Segment&) { return "<k id=\"2\">%(b)s</k>: <k id=\"1\">%(a)s</k>"; })
                  .text,
              HasSubstr("msgstr \"%(b)s: %(a)s\""));
}

TEST(Po, AcceleratorsGoBeforeAWordOfTheTranslation) {
  const std::string entry =
      "msgid \"Save _As\"\nmsgstr \"\"\n\nmsgid \"&File\"\nmsgstr \"\"\n\nmsgid \"the SOME_NAME\"\nmsgstr \"\"\n";
  const DocumentResult run = Po(entry, Shout, "de", false);
  EXPECT_THAT(TextsOf(run), ElementsAre("Save As", "File", "the SOME_NAME"));
  EXPECT_THAT(run.text, HasSubstr("\"SAVE _AS\""));
  EXPECT_THAT(run.text, HasSubstr("\"&FILE\""));
}

TEST(Po, WrappedParagraphsAreOneText) {
  const std::string entry =
      "msgid \"\"\n\"This program prints all of the words in a file and\\n\"\n\"counts them.\\n\"\nmsgstr \"\"\n";
  const DocumentResult run = Po(entry, Shout, "de", false);
  EXPECT_THAT(TextsOf(run), ElementsAre("This program prints all of the words in a file and counts them."));
  EXPECT_THAT(run.text, HasSubstr("\"THIS PROGRAM PRINTS ALL OF THE WORDS IN A FILE AND\\n\"\n\"COUNTS THEM.\\n\"\n"));
}

TEST(Po, BrokenFilesAreRefusedWithTheirLine) {
  for (const auto& [source, message] : std::vector<std::pair<std::string, std::string>>{
           {"msgid \"a\"\n\nmsgid \"b\"\n", "file, line 3: a second msgid"},
           {"msgid \"a\"\n", "file, line 1: an entry without msgstr"},
           {"msgstr \"a\"\n", "file, line 1: an entry without msgid"},
           {"msgid a\n", "file, line 1: expected a string in quotation marks"},
           {"msgid \"a\\q\"\n", "an escape that is not understood, \"\\q\""},
           {"mesgid \"a\"\n", "file, line 1: \"mesgid\" is no keyword of a message file"},
           {"\n\"a\"\n", "file, line 2: a string without a keyword before it"}}) {
    EXPECT_THAT(std::string(Po(source).status.message()), HasSubstr(message)) << source;
  }
}

TEST(Po, MsgfmtAcceptsWhatIsWritten) {
  if (std::system("msgfmt --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no msgfmt";
  for (const std::string target : {"de", "ru", "ar", "ja"}) {
    for (const bool fuzzy : {false, true}) {
      const std::string path = testing::TempDir() + "/heed-test.po";
      std::ofstream(path) << Po(absl::StrCat(kHeader, kEntries), Shout, target, fuzzy).text;
      EXPECT_EQ(std::system(absl::StrCat("msgfmt --check -o /dev/null ", path, " > ", path, ".log 2>&1").c_str()), 0)
          << std::ifstream(path + ".log").rdbuf() << std::ifstream(path).rdbuf();
    }
  }
}

TEST(PluralForms, HeadersOfLanguagesAreRules) {
  for (const char* const language : {"de", "fr", "ja", "ru", "uk", "pl", "cs", "sk", "lt",      "lv",   "ro",
                                     "sl", "ga", "gd", "cy", "ar", "mt", "is", "hr", "zh-Hans", "pt_BR"}) {
    EXPECT_TRUE(PluralForms::Parse(PluralForms::HeaderOf(language)).ok()) << language;
  }
  EXPECT_EQ(PluralForms::HeaderOf("tlh"), "");
  EXPECT_EQ(PluralForms::Parse(PluralForms::HeaderOf("ar"))->singular(), 1u);
  for (const char* const wrong : {"", "nplurals=2", "nplurals=2; plural=n;", "nplurals=2; plural=1/0;",
                                  "nplurals=0; plural=0;", "nplurals=2; plural=(n", "nplurals=x; plural=0;"}) {
    EXPECT_FALSE(PluralForms::Parse(wrong).ok()) << wrong;
  }
  EXPECT_FALSE(PluralForms::Parse("nplurals=2; plural=" + std::string(1500, '(')).ok());
}

}  // namespace
}  // namespace heed::client
