// SPDX-License-Identifier: Apache-2.0
#include "client/documents/markdown_reader.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/client/documents/document_run.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DocumentResult Markdown(const std::string& source, const TranslateSegment& translate = Shout) {
  return TranslateText(DocumentFormat::kMarkdown, source, translate);
}
TranslateSegment Says(const std::string& translation) {
  return [translation](const Segment&) { return translation; };
}

constexpr char kPage[] = R"md(---
title: A page
date: 2026-01-01
---

# The *first* heading #

A paragraph with **strong**, `code of ours`, [a link](http://example.org/a_b "Title (x)"), an
![image](pic.png) and a hard  
break; see <https://example.org> and https://example.org/plain_url, a note[^1], \*stars\*, AT&amp;T.

Setext heading
==============

> A quote of *two
> lines* in it
lazy line

- item one
- item two
  goes on

  1. nested `x`
  2. [ ] not a task
- [x] a task

| Name | Value |
|:-----|------:|
| a \| b | **bold** and `c \| d` |
| last |

```sh
echo "not translated"
```

    indented code

<div>
An *HTML* block
</div>

[ref]: http://example.org/ref "A title"
Text behind a definition, [with a reference][ref], [ref][] and ~~gone~~.

[^1]: The note
    goes on.

    A second paragraph.

[^2]: A note that nothing refers to.

***

Last <b>line</b> of snake_case words
)md";

TEST(Markdown, KeepsEveryByteOfWhatItDoesNotTranslate) {
  const std::string page = kPage;
  for (const std::string& source :
       {page, absl::StrReplaceAll(page, {{"\n", "\r\n"}}), "\xef\xbb\xbf" + page, page.substr(0, page.size() - 1),
        std::string(), std::string("x"), std::string("---\n"), std::string("---\nno end")}) {
    EXPECT_EQ(Markdown(source, Same).text, source);
    EXPECT_EQ(Markdown(source, Fails).text, source);
  }
}

TEST(Markdown, TranslatesTheWordsOnly) {
  const DocumentResult run = Markdown(kPage);
  EXPECT_THAT(run.refused, IsEmpty());
  EXPECT_EQ(run.text, R"md(---
title: A page
date: 2026-01-01
---

# THE *FIRST* HEADING #

A PARAGRAPH WITH **STRONG**, `code of ours`, [A LINK](http://example.org/a_b "Title (x)"), AN
![IMAGE](pic.png) AND A HARD  
BREAK; SEE <https://example.org> AND https://example.org/plain_url, A NOTE[^1], \*STARS\*, AT&amp;T.

SETEXT HEADING
==============

> A QUOTE OF *TWO
> LINES* IN IT
> LAZY LINE

- ITEM ONE
- ITEM TWO
  GOES ON

  1. NESTED `x`
  2. [ ] NOT A TASK
- [x] A TASK

| NAME | VALUE |
|:-----|------:|
| A \| B | **BOLD** AND `c \| d` |
| LAST |

```sh
echo "not translated"
```

    indented code

<div>
An *HTML* block
</div>

[ref]: http://example.org/ref "A title"
TEXT BEHIND A DEFINITION, [WITH A REFERENCE][ref], [REF][ref] AND ~~GONE~~.

[^1]: THE NOTE
    GOES ON.

    A SECOND PARAGRAPH.

[^2]: A NOTE THAT NOTHING REFERS TO.

***

LAST <b>LINE</b> OF SNAKE_CASE WORDS
)md");
}

TEST(Markdown, MarksGoToTheServerAsNeutralElements) {
  const DocumentResult run = Markdown("Press `Ctrl-C` to *stop [the server](x)*[^1] & go.\n\n[^1]: A <note>.\n");
  ASSERT_EQ(run.segments.size(), 2u);
  EXPECT_EQ(run.segments[0].text,
            "Press <k id=\"1\">Ctrl-C</k> to <g id=\"2\">stop <g id=\"3\">the server</g></g><x id=\"4\"/> &amp; go.");
  EXPECT_EQ(run.segments[0].format, v1::TEXT_FORMAT_XML);
  EXPECT_TRUE(run.segments[0].own_marks);
  const DocumentResult plain = Markdown("# **All of it**\n");
  EXPECT_THAT(TextsOf(plain), ElementsAre("All of it"));
  EXPECT_EQ(plain.segments[0].format, v1::TEXT_FORMAT_PLAIN);
  EXPECT_EQ(plain.text, "# **ALL OF IT**\n");
}

TEST(Markdown, MovedMarksTakeTheirBytesWithThem) {
  const auto moved = Says("<g id=\"2\">Den Server</g> mit <k id=\"1\">Ctrl-C</k> anhalten");
  EXPECT_EQ(Markdown("Press `Ctrl-C` for [the server](x \"y\")\n", moved).text,
            "[Den Server](x \"y\") mit `Ctrl-C` anhalten\n");
  EXPECT_THAT(Markdown("Press `Ctrl-C` *now* x\n", Says("nichts")).refused, ElementsAre(HasSubstr("it lost")));
}

TEST(Markdown, AParagraphIsWrappedAsWideAsItWas) {
  const std::string source = "> one two three four\n> five six\n";
  EXPECT_EQ(Markdown(source, Says("eins zwei drei vier fuenf sechs sieben acht")).text,
            "> eins zwei drei\n> vier fuenf sechs\n> sieben acht\n");
  EXPECT_EQ(Markdown("One sentence here.\nAnother one.\n", Says("Das ist ein Satz hier. Und noch einer.")).text,
            "Das ist ein Satz hier.\nUnd noch einer.\n");
  EXPECT_EQ(Markdown("all of it in one line\n", Says("eins zwei drei vier fuenf sechs sieben acht neun zehn elf")).text,
            "eins zwei drei vier fuenf sechs sieben acht neun zehn elf\n");
}

TEST(Markdown, WordsDoNotBecomeMarkup) {
  EXPECT_EQ(Markdown("x\n", Says("# no *heading* [a](b) `c` <b> 1_000 2 * 3 &amp;")).text,
            "\\# no \\*heading\\* \\[a\\](b) \\`c\\` \\<b> 1_000 2 * 3 \\&amp;\n");
  EXPECT_EQ(Markdown("x\n", Says("1. erstens")).text, "1\\. erstens\n");
  EXPECT_EQ(Markdown("| a |\n|---|\n| x |\n", [](const Segment& s) { return s.text == "x" ? "y | z" : s.text; }).text,
            "| a |\n|---|\n| y \\| z |\n");
  EXPECT_EQ(Markdown("aaaa bbb\ncc\n", Says("aaaa - bb")).text, "aaaa -\nbb\n");
  EXPECT_EQ(Markdown("aaaaaa bb\ncc\n", Says("aaaaaaaa - bb")).text, "aaaaaaaa\n\\- bb\n");
}

TEST(Markdown, EmphasisStaysEmphasis) {
  EXPECT_EQ(Markdown("a *b* c\n", Says("a<g id=\"1\"> b </g>c")).text, "a *b* c\n");
  EXPECT_EQ(Markdown("a _b_ c\n", Says("un<g id=\"1\">frei</g>willig")).text, "un*frei*willig\n");
  EXPECT_EQ(Markdown("a *b* c\n", Says("a <g id=\"1\"></g>c")).text, "a c\n");
}

TEST(Markdown, FrontMatterIsTranslatedWhereAsked) {
  const std::string source =
      "---\ntitle: A page\ndescription: 'It''s'\nsubtitle: \"Two words\"\nsummary: >\n  folded\nid: x\n---\nBody\n";
  DocumentOptions options;
  options.markdown.front_matter = true;
  EXPECT_EQ(
      TranslateText(DocumentFormat::kMarkdown, source, Shout, options).text,
      "---\ntitle: A PAGE\ndescription: 'It''s'\nsubtitle: \"TWO WORDS\"\nsummary: >\n  folded\nid: x\n---\nBODY\n");
  EXPECT_EQ(TranslateText(DocumentFormat::kMarkdown, "---\ntitle: x\n---\n", Says("a: \"b\""), options).text,
            "---\ntitle: \"a: \\\"b\\\"\"\n---\n");
  EXPECT_EQ(Markdown(source).text, absl::StrReplaceAll(source, {{"Body", "BODY"}}));
}

TEST(Markdown, SegmentsKnowTheirLines) {
  const DocumentResult run = Markdown("---\na: b\n---\n\n# One\n\ntwo\nlines\n\n- three\n");
  ASSERT_EQ(run.segments.size(), 3u);
  EXPECT_EQ(run.segments[0].line, 5);
  EXPECT_EQ(run.segments[1].line, 7);
  EXPECT_EQ(run.segments[2].line, 10);
}

// What cmark-gfm reads, without words.
std::string StructureOf(const std::string& text) {
  cmark_gfm_core_extensions_ensure_registered();
  cmark_parser* const parser = cmark_parser_new(CMARK_OPT_FOOTNOTES);
  for (const char* const name : {"table", "strikethrough", "tasklist"}) {
    cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(name));
  }
  cmark_parser_feed(parser, text.data(), text.size());
  cmark_node* const document = cmark_parser_finish(parser);
  cmark_iter* const iterator = cmark_iter_new(document);
  std::string structure;
  for (cmark_event_type event = cmark_iter_next(iterator); event != CMARK_EVENT_DONE;
       event = cmark_iter_next(iterator)) {
    cmark_node* const node = cmark_iter_get_node(iterator);
    const cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_TEXT || type == CMARK_NODE_SOFTBREAK) continue;
    absl::StrAppend(&structure, event == CMARK_EVENT_ENTER ? "<" : "/", cmark_node_get_type_string(node));
    if (type == CMARK_NODE_CODE || type == CMARK_NODE_CODE_BLOCK)
      absl::StrAppend(&structure, cmark_node_get_literal(node));
    if (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE) absl::StrAppend(&structure, cmark_node_get_url(node));
    structure += "\n";
  }
  cmark_iter_free(iterator);
  cmark_node_free(document);
  cmark_parser_free(parser);
  return structure;
}

TEST(Markdown, TheStructureOfOurOwnPagesStays) {
  for (const char* const name : {"README.md", "CHANGELOG.md", "docs/design.md", "docs/testing.md",
                                 "docs/command-line.md", "docs/benchmarks.md", "docs/metrics.md"}) {
    std::stringstream text;
    text << std::ifstream(absl::StrCat(HEED_SOURCE_DIR, "/", name)).rdbuf();
    const std::string source = text.str();
    EXPECT_EQ(Markdown(source, Same).text, source) << name;
    const DocumentResult loud = Markdown(source);
    EXPECT_THAT(loud.refused, IsEmpty()) << name;
    EXPECT_EQ(StructureOf(loud.text), StructureOf(source)) << name;
    EXPECT_GT(loud.segments.size(), 10u) << name;
  }
}

}  // namespace
}  // namespace heed::client
