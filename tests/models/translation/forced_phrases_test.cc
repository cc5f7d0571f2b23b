// SPDX-License-Identifier: Apache-2.0
// Forced phrases and alignment over real networks: what the translation holds, whatever the network would rather say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "models/architectures.h"
#include "models/kinds/translator.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::shared_ptr<const Translator> LoadFixture(const std::string& fixture, Precision precision = Precision::kF32) {
  auto model = LoadModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, "", precision);
  EXPECT_TRUE(model.ok()) << model.status();
  return std::dynamic_pointer_cast<const Translator>(*model);
}

size_t Count(const std::string& text, const std::string& phrase) {
  size_t count = 0;
  for (size_t at = text.find(phrase); at != text.npos; at = text.find(phrase, at + phrase.size())) ++count;
  return count;
}

// The text with the part between each pair of braces "{{...}}" forced to be what follows a '=' in it, or itself.
SourceText Marked(const std::string& marked) {
  SourceText text;
  for (size_t at = 0; at < marked.size();) {
    const size_t begin = std::min(marked.find("{{", at), marked.size());
    text.text += marked.substr(at, begin - at);
    if (begin == marked.size()) break;
    size_t end = marked.find("}}", begin);
    while (end + 2 < marked.size() && marked[end + 2] == '}') ++end;  // of the phrase
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(marked.substr(begin + 2, end - begin - 2), absl::MaxSplits('=', 1));
    const size_t from = text.text.size();
    text.text += parts.first;
    text.forced.push_back({{from, text.text.size()}, parts.second.empty() ? parts.first : parts.second});
    at = end + 2;
  }
  return text;
}

class ForcedPhrasesTest : public testing::Test {
 protected:
  std::vector<std::unique_ptr<TranslationTask>> Run(const SourceText& text) {
    Context context{1};
    auto started = translator_->Start(absl::MakeConstSpan(&text, 1), options_, StartLimits());
    EXPECT_TRUE(started.ok()) << started.status();
    if (!started.ok()) return {};
    for (const auto& task : started->tasks) {
      Task* const tasks[] = {task.get()};
      while (!task->finished()) translator_->Step(tasks, context);
    }
    return std::move(started->tasks);
  }
  std::string Translate(const std::string& marked) {
    std::string text;
    for (const auto& task : Run(Marked(marked))) text += task->result().hypotheses.at(0).text + "\n";
    return text;
  }
  std::string ErrorOf(const SourceText& text) {
    const auto started = translator_->Start(absl::MakeConstSpan(&text, 1), options_, StartLimits());
    EXPECT_EQ(started.status().code(), absl::StatusCode::kInvalidArgument) << started.status();
    return std::string(started.status().message());
  }

  std::shared_ptr<const Translator> translator_ = LoadFixture("marian-swish");
  TranslateOptions options_;
};

TEST_F(ForcedPhrasesTest, PhrasesAreThereToTheByteAndOnce) {
  const std::string phrases[] = {"Katze", "{name}", "foo_bar(1)", "日本", "x", "Straße", "a  b", "</s>", "&amp;", "▁"};
  for (const char* fixture : {"marian-swish", "marian-gelu-untied", "marian-relu"}) {
    translator_ = LoadFixture(fixture);
    for (const int beam : {1, 4}) {
      options_.beam_size = beam;
      for (const std::string& phrase : phrases) {
        const std::string text = Translate("The cat {{old=" + phrase + "}} sleeps.");
        if (phrase != "x") {
          EXPECT_EQ(Count(text, phrase), 1u) << fixture << ": " << text;
        } else {
          EXPECT_THAT(text, HasSubstr(phrase));
        }
      }
    }
  }
}

TEST_F(ForcedPhrasesTest, AnyNumberOfRandomPhrasesIsThere) {
  std::mt19937 random(7);
  const std::vector<std::string> words = {"The", "cat", "sleeps", "under", "the", "old", "table", "and", "reads"};
  const std::string targets[] = {"%s", "{0}", "Hund", "der Hund", "§5", "<x id=\"1\"/>", "Zürich-West"};
  for (int round = 0; round < 40; ++round) {
    SourceText text;
    std::vector<std::string> wanted;
    for (const std::string& word : words) {
      if (!text.text.empty()) text.text += ' ';
      const size_t begin = text.text.size();
      text.text += word;
      if (random() % 3 != 0) continue;
      wanted.push_back(absl::StrCat(targets[random() % std::size(targets)], random() % 2 == 0 ? "" : "!"));
      text.forced.push_back({{begin, text.text.size()}, wanted.back()});
    }
    options_.beam_size = 1 + static_cast<int>(random() % 5);
    options_.max_tokens = random() % 2 == 0 ? 0 : 6;
    std::string found = " ";
    for (const auto& task : Run(text)) found += task->result().hypotheses.at(0).text + " ";
    for (const std::string& phrase : wanted) {
      EXPECT_GE(Count(found, phrase), static_cast<size_t>(std::count(wanted.begin(), wanted.end(), phrase))) << found;
    }
  }
}

TEST_F(ForcedPhrasesTest, AGreedyRequestHasOneResultAndNBestAllHaveThePhrase) {
  SourceText text = Marked("The {{cat}} sleeps.");
  options_.stream = true;
  EXPECT_EQ(Run(text).at(0)->result().hypotheses.size(), 1u);
  options_.stream = false;
  options_.beam_size = options_.n_best = 4;
  const auto tasks = Run(text);
  const std::vector<Hypothesis>& found = tasks.at(0)->result().hypotheses;
  EXPECT_GE(found.size(), 2u);
  EXPECT_LE(found.size(), 4u);
  for (const Hypothesis& hypothesis : found) EXPECT_EQ(Count(hypothesis.text, "cat"), 1u) << hypothesis.text;
}

TEST_F(ForcedPhrasesTest, WhatHasNoLettersBesideItsPhrasesNeedsNoModel) {
  EXPECT_EQ(Translate("{{foo_bar()}}"), "foo_bar()\n");
  EXPECT_EQ(Translate("({{Berlin}}, {{Cat=Katze}}) 12"), "(Berlin, Katze) 12\n");
  options_.align = true;
  const auto tasks = Run(Marked("{{Cat=Katze}}: 12"));
  EXPECT_EQ(tasks.at(0)->next_rows(), 0);
  const std::vector<AlignedToken>& alignment = tasks[0]->result().hypotheses.at(0).alignment;
  ASSERT_EQ(alignment.size(), 3u);
  EXPECT_EQ(alignment[0].target, (TextRange{0, 5}));
  EXPECT_EQ(alignment[0].source, (TextRange{0, 3}));
  EXPECT_EQ(alignment[2].target, (TextRange{7, 9}));
  EXPECT_EQ(alignment[2].source, (TextRange{5, 7}));
}

TEST_F(ForcedPhrasesTest, TouchingPhrasesThatStayAreOne) {
  EXPECT_EQ(Count(Translate("The cat {{{a}}}{{{b}}} sleeps."), "{a}{b}"), 1u);
}

TEST_F(ForcedPhrasesTest, WhiteSpaceAroundAPhraseDoesNotCount) {
  SourceText text("The cat sleeps.");
  text.forced = {{{3, 8}, " K%z "}};
  const std::string found = Run(text).at(0)->result().hypotheses.at(0).text;
  EXPECT_EQ(Count(found, "K%z"), 1u);
  EXPECT_EQ(Count(found, "  "), 0u) << found;
}

TEST_F(ForcedPhrasesTest, SentencesAreNotCutWithinAPhrase) {
  const auto tasks = Run(Marked("The cat sleeps. The {{dog. It}} runs. Is it cold?"));
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[1]->source(), "The dog. It runs.");
  EXPECT_EQ(Count(tasks[1]->result().hypotheses[0].text, "dog. It"), 1u);
  // Too long for the network: the phrase is a task of its own.
  translator_ = LoadFixture("marian-gelu-untied");  // 96 positions
  std::string code;
  for (int i = 0; i < 60; ++i) code += "the cat; ";
  code += "end";
  std::string whole;
  for (const auto& task : Run(Marked("The cat {{" + code + "}} sleeps."))) {
    whole += task->result().hypotheses[0].text + "\n";
  }
  EXPECT_EQ(Count(whole, code), 1u);
}

TEST_F(ForcedPhrasesTest, ASentenceOfVeryManyPhrasesIsCut) {
  std::string marked = "The cat";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&marked, " sees {{{", i, "}}}");
  const std::string text = Translate(marked + " and sleeps.");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(Count(text, absl::StrCat("{", i, "}")), 1u) << text;
}

TEST_F(ForcedPhrasesTest, WhatIsWrongIsNamed) {
  SourceText text("The cät");
  text.forced = {{{0, 99}, "x"}};
  EXPECT_EQ(ErrorOf(text), "texts[0] has the forced phrase 0 at bytes 0 to 99, but has 8 bytes");
  text.forced = {{{0, 3}, "x"}, {{2, 8}, "y"}};
  EXPECT_EQ(ErrorOf(text), "texts[0] has the forced phrase 1 at bytes 2 to 8, but the phrase before it ends at 3");
  text.forced = {{{4, 6}, "x"}};
  EXPECT_EQ(ErrorOf(text), "texts[0] has the forced phrase 0 at bytes 4 to 6, which cuts a character");
  text.forced = {{{0, 3}, "a\xff"}};
  EXPECT_EQ(ErrorOf(text), "texts[0] has the forced phrase 0 at bytes 0 to 3, whose target is not UTF-8 at byte 1");
  text.forced = {{{0, 3}, " "}};
  EXPECT_EQ(ErrorOf(text), "texts[0] has the forced phrase 0 at bytes 0 to 3, whose target is blank");
  text.forced = {};
  text.code = ">>xyz<<";
  EXPECT_THAT(ErrorOf(text), AllOf(HasSubstr("texts[0]"), HasSubstr(">>xyz<<")));
}

TEST_F(ForcedPhrasesTest, AlignmentCoversTheTranslationInOrder) {
  options_.align = true;
  for (const int beam : {1, 4}) {
    options_.beam_size = beam;
    for (const char* marked :
         {"The cat sleeps under the old table.", "The {{cat=K_tze}} sleeps under the {{old table}}."}) {
      const SourceText text = Marked(marked);
      const auto tasks = Run(text);
      const Hypothesis& best = tasks.at(0)->result().hypotheses.at(0);
      ASSERT_EQ(best.alignment.size(), static_cast<size_t>(best.token_count));
      size_t at = 0;
      std::string shown;
      for (const AlignedToken& token : best.alignment) {
        EXPECT_LE(at, token.target.begin);
        EXPECT_LE(token.target.begin, token.target.end);
        EXPECT_LT(token.source.begin, token.source.end);
        EXPECT_LE(token.source.end, tasks[0]->source().size());
        at = token.target.end;
        shown += best.text.substr(token.target.begin, token.target.end - token.target.begin);
      }
      std::string visible = best.text;
      for (std::string* each : {&visible, &shown}) std::erase(*each, ' ');
      EXPECT_EQ(shown, visible);
      for (const ForcedPhrase& phrase : text.forced) {
        const auto token = std::find_if(best.alignment.begin(), best.alignment.end(),
                                        [&](const AlignedToken& one) { return one.source == phrase.source; });
        ASSERT_NE(token, best.alignment.end());
        EXPECT_EQ(best.text.substr(token->target.begin, token->target.end - token->target.begin), phrase.target);
      }
    }
  }
}

TEST_F(ForcedPhrasesTest, CompanyChangesNotABit) {
  const char* const marked[] = {"The {{cat=Katze}} sleeps under the old table.", "Is it {{cold}}?", "My sister reads.",
                                "A red {{dog=%d}} runs to {{the sea}}.",
                                "We drink {{water}} and eat {{bread=B[r]ot}}."};
  options_.align = true;
  for (const int beam : {1, 3}) {
    options_.beam_size = options_.n_best = beam;
    std::vector<SourceText> texts;
    std::vector<std::unique_ptr<TranslationTask>> alone;
    for (const char* one : marked) {
      texts.push_back(Marked(one));
      alone.push_back(std::move(Run(texts.back()).at(0)));
    }
    Context context{2};
    auto together = translator_->Start(texts, options_, StartLimits());
    ASSERT_TRUE(together.ok()) << together.status();
    for (;;) {
      std::vector<Task*> running;
      for (const auto& task : together->tasks) {
        if (!task->finished()) running.push_back(task.get());
      }
      if (running.empty()) break;
      translator_->Step(running, context);
    }
    for (size_t i = 0; i < alone.size(); ++i) {
      const auto &a = alone[i]->result().hypotheses, &b = together->tasks[i]->result().hypotheses;
      ASSERT_EQ(a.size(), b.size());
      for (size_t h = 0; h < a.size(); ++h) {
        EXPECT_EQ(a[h].text, b[h].text);
        EXPECT_EQ(std::memcmp(&a[h].score, &b[h].score, sizeof(float)), 0);
        ASSERT_EQ(a[h].alignment.size(), b[h].alignment.size());
        for (size_t t = 0; t < a[h].alignment.size(); ++t) {
          EXPECT_EQ(a[h].alignment[t].source, b[h].alignment[t].source);
        }
      }
    }
  }
}

TEST_F(ForcedPhrasesTest, AligningChangesNotABit) {
  for (const Precision precision : {Precision::kF32, Precision::kInt8}) {
    translator_ = LoadFixture("marian-swish", precision);
    for (const int beam : {1, 4}) {
      options_ = {};
      options_.beam_size = beam;
      options_.return_attention = true;
      const auto plain = Run(SourceText("The cat sleeps under the old table."));
      options_.align = true;
      const auto aligned = Run(SourceText("The cat sleeps under the old table."));
      const Hypothesis &a = plain[0]->result().hypotheses[0], &b = aligned[0]->result().hypotheses[0];
      EXPECT_EQ(a.tokens, b.tokens);
      EXPECT_EQ(std::memcmp(&a.score, &b.score, sizeof(float)), 0);
      EXPECT_EQ(a.attention, b.attention);
      EXPECT_TRUE(a.alignment.empty());
    }
  }
}

}  // namespace
}  // namespace heed
