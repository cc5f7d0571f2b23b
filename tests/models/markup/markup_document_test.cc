// SPDX-License-Identifier: Apache-2.0
#include "models/markup/markup_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/markup_checks.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MarkupDocument Html(absl::string_view source, const MarkupRules& rules = {}) {
  return *MarkupDocument::Parse(source, MarkupKind::kHtml, rules);
}
MarkupDocument Xml(absl::string_view source, const MarkupRules& rules = {}) {
  absl::StatusOr<MarkupDocument> document = MarkupDocument::Parse(source, MarkupKind::kXml, rules);
  EXPECT_TRUE(document.ok()) << document.status();
  return *std::move(document);
}

// The texts of the units, with « » around what is kept.
std::vector<std::string> Units(const MarkupDocument& document) {
  std::vector<std::string> units;
  for (const MarkupUnit& unit : document.units()) {
    std::string text = unit.text;
    for (auto kept = unit.kept.rbegin(); kept != unit.kept.rend(); ++kept)
      text.insert(kept->end, ">").insert(kept->begin, "<");
    units.push_back(text);
  }
  return units;
}

// Words and signs between spaces; each target word is aligned with the source word that `links` has in its place.
TranslatedUnit Aligned(const MarkupUnit& unit, const std::string& target, const std::vector<size_t>& links) {
  const auto words = [](absl::string_view text) {
    std::vector<TextRange> ranges;
    size_t at = 0;
    for (const absl::string_view word : absl::StrSplit(text, ' ')) {
      ranges.push_back({at, at + word.size()});
      at += word.size() + 1;
    }
    return ranges;
  };
  TranslatedUnit translated{target, {}};
  const std::vector<TextRange> source = words(unit.text), own = words(target);
  for (size_t i = 0; i < links.size(); ++i) translated.alignment.push_back({own[i], source[links[i]]});
  return translated;
}

// A document of one unit, translated.
std::string Translated(absl::string_view source, const std::string& target, const std::vector<size_t>& links) {
  const MarkupDocument document = Html(source);
  EXPECT_EQ(document.units().size(), 1u) << source;
  return document.Render({Aligned(document.units()[0], target, links)});
}

TEST(MarkupUnitsTest, BlocksCutAndInlineTagsDoNot) {
  EXPECT_THAT(Units(Html("<h1>A title</h1><p>Some <b>bold</b> text<ul><li>one<li>two</ul>tail")),
              ElementsAre("A title", "Some bold text", "one", "two", "tail"));
  EXPECT_THAT(Units(Html("<table><tr><td>a1<td>b <i>2</i></table>")), ElementsAre("a1", "b 2"));
}

TEST(MarkupUnitsTest, WhiteSpaceIsCollapsedAsBrowsersDo) {
  EXPECT_THAT(Units(Html("<p>\n  a\n  <b> b </b>\tc<i> d</i>\n</p>")), ElementsAre("a b c d"));
  EXPECT_THAT(Units(Html("a&nbsp;b &nbsp; <p>&nbsp;</p>")), ElementsAre("a\xc2\xa0"
                                                                        "b"));
}

TEST(MarkupUnitsTest, ReferencesAreDecoded) {
  EXPECT_THAT(Units(Html("AT&T &amp; &lt;b&gt; caf&eacute; &#8364;&#x20AC; &copy 2024 &notanything; "
                         "&CounterClockwiseContourIntegral;")),
              ElementsAre("AT&T & <<b>> caf\xc3\xa9 \xe2\x82\xac\xe2\x82\xac \xc2\xa9 2024 \xc2\xac"
                          "anything; \xe2\x88\xb3"));
}

TEST(MarkupUnitsTest, WhatHasNoLettersIsNone) {
  EXPECT_THAT(Units(Html("<p>42</p><p>...</p><p> </p><td>3.5 %</td><p>{name}</p><p>https://example.com</p>")),
              IsEmpty());
}

TEST(MarkupUnitsTest, AttributesThatPeopleReadAreUnits) {
  EXPECT_THAT(Units(Html("<p title='A &quot;title&quot;'>text <img alt=photo src=a.png class=b> <input "
                         "placeholder='Your name' value=x>"
                         "<input type=submit value='Send it'><meta name=description content='About us'><meta "
                         "name=robots content=none>")),
              ElementsAre("A \"title\"", "photo", "Your name", "Send it", "About us", "text"));
}

TEST(MarkupUnitsTest, CodeAndScriptsAreNotTranslated) {
  EXPECT_THAT(
      Units(Html("<script>var text</script><style>p {}</style><pre>some code</pre><p>Call <code>f(x)</code> now</p>"
                 "<textarea>mine</textarea><svg><text>drawn</text></svg><p>An <svg><title>x</title></svg> icon</p>")),
      ElementsAre("Call <f(x)> now", "An icon"));
}

TEST(MarkupUnitsTest, TranslateNoIsInheritedAndTranslateYesCountsAgain) {
  EXPECT_THAT(
      Units(Html("<p>Use <span translate=no>Big <b>Name</b></span> and <i class='x notranslate'>That</i></p>"
                 "<div translate='no' title='not this'><p>not this</p><p translate=yes title='this'>but this</p></div>"
                 "<code translate=yes>and this</code>")),
      ElementsAre("Use <Big Name> and <That>", "this", "but this", "and this"));
  EXPECT_THAT(Units(Html("a <span translate=no>B <b translate=yes>c</b> D</span> e")), ElementsAre("a <B> c <D> e"));
}

TEST(MarkupUnitsTest, AParagraphThatIsNotClosedEndsItsTranslateNo) {
  EXPECT_THAT(Units(Html("<p translate=no>not<p>this<ul><li translate=no>not<li>that</ul>")),
              ElementsAre("this", "that"));
}

TEST(MarkupUnitsTest, PlaceholdersAndAddressesAreKept) {
  EXPECT_THAT(Units(Html("<p title='%d files'>Hello {name}, see https://example.com/a. Or {<b>bold</b>}?</p>")),
              ElementsAre("<%d> files", "Hello <{name}>, see <https://example.com/a>. Or {bold}?"));
}

TEST(MarkupUnitsTest, ALinkWhoseTextIsAnAddressIsKept) {
  EXPECT_THAT(
      Units(Html("<p><a href='x'>@<span>anna</span></a> wrote <a href='y'><span class='invisible'>https://</span><span>"
                 "example.com/a</span></a> about <a>#<span>Cats</span></a></p>")),
      ElementsAre("<@anna> wrote <https://example.com/a> about <#Cats>"));
}

TEST(MarkupUnitsTest, LineBreaksCutUnlessASentenceGoesOn) {
  EXPECT_THAT(Units(Html("Dear all,<br>we write<br/>to you.<br>Bye<br><br>Anna")),
              ElementsAre("Dear all, we write to you.", "Bye", "Anna"));
}

TEST(MarkupUnitsTest, LinksSideBySideAreApart) {
  EXPECT_THAT(Units(Html("<p><a>Home</a> | <a>About us</a><a>More</a></p><p>See <a>this</a> <a>page</a></p>")),
              ElementsAre("Home", "About us", "More", "See this page"));
}

TEST(MarkupUnitsTest, AFootnotesMarkIsNoWord) {
  EXPECT_THAT(Units(Html("<p>A word<sup><a href='#1'>[1]</a></sup> and x<sup>n</sup></p>")),
              ElementsAre("A word and xn"));
}

TEST(MarkupUnitsTest, RulesAddToWhatIsKnownOfHtml) {
  MarkupRules rules;
  rules.ignored = {"Cite"};
  rules.splitting = {"x-part"};
  rules.inlined = {"div"};
  EXPECT_THAT(Units(Html("one <div>two</div> <cite>three</cite><X-PART>four</x-part>", rules)),
              ElementsAre("one two <three>", "four"));
}

TEST(MarkupUnitsTest, XmlIsCutWhereNoTextIsBeside) {
  EXPECT_THAT(Units(Xml("<doc><title>A title</title><p>Some <b>bold <i>text</i></b> here</p>\n<p>more</p></doc>")),
              ElementsAre("A title", "Some bold text here", "more"));
  EXPECT_THAT(Units(Xml("Hello <x id='1'/>, <y><z>you</z></y> &name;")), ElementsAre("Hello , you <&name;>"));
  MarkupRules rules;
  rules.detect_structure = false;
  rules.splitting = {"p"};
  rules.ignored = {"k"};
  EXPECT_THAT(Units(Xml("<d><a>one</a> <b>two</b><p>three <k>x</k></p></d>", rules)),
              ElementsAre("one two", "three <x>"));
}

TEST(MarkupUnitsTest, ACharacterSectionOfXmlIsAUnit) {
  const MarkupDocument document = Xml("<d><![CDATA[ Hello <b>you</b> & me ]]></d>");
  EXPECT_THAT(Units(document), ElementsAre("Hello <<b>>you<</b>> & me"));
  EXPECT_EQ(document.Render({{"<b>DU</b> ]]> & ICH", {}}}), "<d><![CDATA[ <b>DU</b> ]]]]><![CDATA[> & ICH ]]></d>");
}

TEST(MarkupUnitsTest, ErrorsSayWhereAndWhy) {
  EXPECT_THAT(std::string(MarkupDocument::Parse("<a>", MarkupKind::kXml, {}).status().message()),
              HasSubstr("line 1, column 4"));
  EXPECT_THAT(std::string(MarkupDocument::Parse("a\xff", MarkupKind::kHtml, {}).status().message()),
              HasSubstr("UTF-8 at byte 1"));
}

TEST(MarkupPlacementTest, ATranslationThatIsTheTextComesBackToTheByte) {
  for (const char* source :
       {"<p>\n a  <b> b</b>\n &eacute;&amp;&nbsp; <br>C</p>", "<IMG ALT='a\n&quot;b'>", "a<b>c</i>d<!-- e -->"}) {
    const MarkupDocument document = Html(source);
    std::vector<TranslatedUnit> same;
    for (const MarkupUnit& unit : document.units()) same.push_back({unit.text, {}});
    EXPECT_EQ(document.Render(same), source);
  }
}

TEST(MarkupPlacementTest, AnElementIsAroundTheWordsThatRenderItsOwn) {
  EXPECT_EQ(
      Translated("<p>I saw <b>the red house</b> yesterday</p>", "gestern sah ich das rote Haus", {5, 1, 0, 2, 3, 4}),
      "<p>gestern sah ich <b>das rote Haus</b></p>");
  EXPECT_EQ(Translated("the <b>red</b> <i>house</i>", "maison rouge", {2, 1}), "<i>maison</i> <b>rouge</b>");
  EXPECT_EQ(Translated("a <b>big <i>red</i></b> house", "maison rouge grande", {3, 2, 1}),
            "maison <b><i>rouge</i> grande</b>");
}

TEST(MarkupPlacementTest, SignsAreInAnElementIfTheyWereInTheSource) {
  EXPECT_EQ(Translated("<b>Hello</b> , you", "Hallo , du", {0, 0, 2}), "<b>Hallo</b> , du");
  EXPECT_EQ(Translated("<b>Hello !</b> You", "Hallo ! Du", {0, 2, 2}), "<b>Hallo !</b> Du");
}

TEST(MarkupPlacementTest, TagsAtTheEndsStayThere) {
  EXPECT_EQ(Translated("<p><a href=x><b>one two</b></a></p>", "zwei eins", {1, 0}),
            "<p><a href=x><b>zwei eins</b></a></p>");
  EXPECT_EQ(Translated("<img src=a> one <b>two</b><br>", "zwei eins", {1, 0}), "<img src=a> <b>zwei</b> eins<br>");
}

TEST(MarkupPlacementTest, WhatIsEmptyStaysBesideItsWord) {
  EXPECT_EQ(Translated("one two<img> three", "drei zwei eins", {2, 1, 0}), "drei zwei<img> eins");
  EXPECT_EQ(Translated("one <img>two three", "drei zwei eins", {2, 1, 0}), "drei <img>zwei eins");
  EXPECT_EQ(Translated("one <!--c--> two", "zwei eins", {1, 0}), "<!--c--> zwei eins");
  EXPECT_EQ(Translated("one <a id=x></a>two", "eins zwei", {0, 1}), "eins <a id=x></a>zwei");
  EXPECT_EQ(Translated("one <a id=x></a> two", "eins zwei", {0, 1}), "eins <a id=x></a> zwei");
  EXPECT_EQ(Translated("good day, <img>!", "guten Tag!", {}), "guten Tag <img>!")
      << "before the sign that it was before";
  EXPECT_EQ(Translated("one<br>two", "eins zwei", {0, 1}), "eins<br>zwei");
}

TEST(MarkupPlacementTest, NoTagIsInsideAWordUnlessTheSourceHadItThere) {
  EXPECT_EQ(Translated("H<sub>2</sub>O is wet", "nass ist H2O", {2, 1, 0}), "nass ist H<sub>2</sub>O");
  EXPECT_EQ(Translated("un<b>believ</b>able", "unglaublich", {0}), "<b>unglaublich</b>");
  EXPECT_EQ(Translated("big<wbr>word here", "grosswort hier", {0, 1}), "grosswort<wbr> hier");
}

TEST(MarkupPlacementTest, KeptElementsComeBackWithAllThatIsInThem) {
  EXPECT_EQ(Translated("Use <code>a  &lt;\n<i>b</i></code> now", "Jetzt a < b nutzen", {4, 1, 2, 3, 0}),
            "Jetzt <code>a  &lt;\n<i>b</i></code> nutzen");
  EXPECT_EQ(Translated("{0} of <b>{1}</b> files", "{1} Dateien von {0}", {2, 3, 1, 0}), "<b>{1}</b> Dateien von {0}");
}

TEST(MarkupPlacementTest, AKeptElementStaysWithinItsParent) {
  EXPECT_EQ(Translated("<b>the <code>x</code></b> is <i>big <kbd>y</kbd></i>", "y x gross", {5, 1, 4}),
            "<i><kbd>y</kbd></i> <b><code>x</code></b> gross");
}

TEST(MarkupPlacementTest, AKeptRangeThatIsMissingIsPutBack) {
  EXPECT_EQ(Translated("Use <code>x</code> now", "Jetzt nutzen", {2, 0}), "Jetzt nutzen <code>x</code>");
  EXPECT_EQ(Translated("Hello {name} there", "Hallo", {0}), "Hallo {name}");
}

TEST(MarkupPlacementTest, AKeptWordIsNotFoundInOtherWords) {
  EXPECT_EQ(Translated("press <kbd>a</kbd> or b", "dann Taste a oder b", {0, 0, 1, 2, 3}),
            "dann Taste <kbd>a</kbd> oder b");
}

TEST(MarkupPlacementTest, SeveralKeptRangesOfOneTextGoWhereTheyAreAligned) {
  EXPECT_EQ(
      Translated("<b>see <code>x</code></b> or <i>call <code>x</code></i> it", "x rufen , x sehen", {4, 3, 2, 1, 0}),
      "<i><code>x</code> rufen</i> , <b><code>x</code> sehen</b>");
}

TEST(MarkupPlacementTest, BrokenTagsComeBackOnceEach) {
  EXPECT_EQ(Translated("one <b>two three", "drei zwei eins", {2, 1, 0}), "<b>drei zwei eins");
  EXPECT_EQ(Translated("one two</b> three", "eins zwei drei", {0, 1, 2}), "eins zwei</b> drei");
  const std::string overlapping = "a <b>b <i>c</b> d</i> e";
  EXPECT_EQ(DifferenceOfTags(overlapping, Translated(overlapping, "E D C B A", {4, 3, 2, 1, 0}), MarkupKind::kHtml),
            "");
}

TEST(MarkupPlacementTest, WithoutAnAlignmentTagsAreInProportion) {
  EXPECT_EQ(Translated("one <b>two</b> three", "eins zwei drei", {}), "eins <b>zwei</b> drei");
  EXPECT_EQ(Translated("one <b>two</b> three four", "eins zwei drei vier", {3, 3, 3, 3}), "eins <b>zwei</b> drei vier")
      << "an alignment that says nothing";
}

TEST(MarkupPlacementTest, AWordThatNothingRendersHasAPlaceNearby) {
  EXPECT_EQ(Translated("see <a>here</a> now", "schau jetzt hin", {0, 2, 0}), "schau <a>jetzt</a> hin");
}

TEST(MarkupPlacementTest, TextsAreEscapedAsTheSourceSpelledThem) {
  EXPECT_EQ(Translated("caf&eacute; R&D &lt; x", "\xc3\xa9 R&D < > y", {}), "&eacute; R&D &lt; &gt; y");
  EXPECT_EQ(Translated("one", "<script>&lt;", {}), "&lt;script&gt;&amp;lt;");
  const MarkupDocument document = Html("<img alt='one' title=two>");
  EXPECT_EQ(document.Render({{"l'un & \"l'autre\"", {}}, {"a \"b\"", {}}}),
            "<img alt='l&#39;un &amp; \"l&#39;autre\"' title=\"a &quot;b&quot;\">");
}

TEST(MarkupPlacementTest, AttributesAreTranslatedWhereverTheirTagsGo) {
  const MarkupDocument document = Html("one <a title='the link'>two</a>");
  EXPECT_THAT(Units(document), ElementsAre("the link", "one two"));
  EXPECT_EQ(document.Render({{"DER LINK", {}}, Aligned(document.units()[1], "zwei eins", {1, 0})}),
            "<a title='DER LINK'>zwei</a> eins");
}

TEST(MarkupPlacementTest, RangesOutsideOfTheTextsArePassedOver) {
  const MarkupDocument document = Html("one <b>two</b>");
  EXPECT_EQ(
      document.Render({{"eins zwei",
                        {{{0, 4}, {0, 3}}, {{5, 9}, {4, 7}}, {{9, 99}, {0, 1}}, {{3, 1}, {5, 2}}, {{0, 4}, {4, 99}}}}}),
      "eins <b>zwei</b>");
}

TEST(MarkupPlacementTest, WhateverTheTranslationEveryTagComesBackAndNested) {
  for (const char* source :
       {"<p>a <b>b <i>c <u>d</u></i></b> e <code>f</code> <b>g <code>h</code> i</b> <img> j</p>",
        "<p>a <b>b<br>B c</b> d <code>e</code></p>", "<td><b><i>x y</i> z</b> <a><img alt=w></a> v</td>",
        "one <b></b> <i> </i>two<wbr>three <span translate=no>N <b translate=yes>yes</b></span>",
        "<b>H<sub>2</sub>O <code>x</code></b> and <i>H<sub>2</sub>O <code>x</code></i>"}) {
    const MarkupDocument document = Html(source);
    for (const FakeLanguage language : kFakeLanguages) {
      for (unsigned seed = 1; seed < 20; ++seed) {
        const std::string translated = RenderInFakeLanguage(document, language, seed);
        EXPECT_EQ(DifferenceOfTags(source, translated, MarkupKind::kHtml), "") << translated;
      }
    }
  }
}

TEST(MarkupPlacementTest, HostileDocumentsTakeLinearTime) {
  for (const char* piece : {"<b>x ", "<b>x</b> ", "<b>x</i> ", "x</b> ", "<code>x</code> ", "{x} a ", "<img> ",
                            "<a>x</a>", "<b><i>", "<p>a", "<li translate=no>x", "<sup>1</sup>a", "<br>", "<a>#",
                            "<span translate=no>x<p>", "x<wbr>y", "&amp;", "a<br>b "}) {
    std::string source;
    while (source.size() < 1 << 18) source += piece;
    const MarkupDocument document = Html(source);
    for (const FakeLanguage language : {FakeLanguage::kBackward, FakeLanguage::kUnaligned, FakeLanguage::kChance}) {
      RenderInFakeLanguage(document, language);
    }
  }
}

}  // namespace
}  // namespace heed
