// SPDX-License-Identifier: Apache-2.0
// Recurrent translators from their directories: words to words, attention, and unknown words that are replaced.
#include "models/translation/rnn_translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"
#include "models/architectures.h"
#include "models/moses/moses_detokenizer.h"
#include "models/moses/moses_tokenizer.h"
#include "nlohmann/json.hpp"
#include "tests/support/advance.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::IsSupersetOf;

const char* const kRnnSentences[] = {"the cat sleeps here .", "dog runs",
                                     "the dog sleeps now . the cat runs here now ."};

const char* const kRnnMosesSentences[] = {
    "L'\xc3\x89tang \"Z\xc3\xbcrich\" cat", "\"Z\xc3\xbcrich\"", "Z\xc3\xbcrich-Ouest", "L'Z\xc3\xbcrich",
    "THE CAT \"sleeps\" here-now L'Ours",
};

class RnnTranslatorTest : public testing::Test {
 protected:
  // A fixture with a merge patch applied to its config.json.
  void Open(const std::string& fixture, const json& patch = json::object()) {
    std::filesystem::remove_all(directory_.path() / "model");
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, directory_.path() / "model");
    json config = json::parse(directory_.Read("model/config.json"));
    config.merge_patch(patch);
    directory_.Write("model/config.json", config.dump());
    auto model = LoadModel(directory_.File("model"));
    ASSERT_TRUE(model.ok()) << model.status();
    translator_ = std::dynamic_pointer_cast<const Translator>(*model);
    options_ = translator_->default_options();
    options_.max_tokens = 12;
    options_.split_sentences = false;
  }
  std::vector<SentenceResult> Translate(const std::vector<std::string>& texts) {
    auto started = translator_->Start(texts, options_);
    EXPECT_TRUE(started.ok()) << started.status();
    std::vector<Task*> tasks;
    for (const auto& task : started->tasks) tasks.push_back(task.get());
    Advance(*translator_, tasks, context_);
    std::vector<SentenceResult> results;
    for (const auto& task : started->tasks) {
      EXPECT_TRUE(task->error().ok()) << task->error();
      results.push_back(task->result());
    }
    return results;
  }

  // The best translation of a sentence, after a check that what its stream gives out is the same text.
  Hypothesis Streamed(const std::string& text) {
    options_.stream = true;
    auto started = translator_->Start({text}, options_);
    EXPECT_TRUE(started.ok()) << started.status();
    TranslationTask& task = *started->tasks.at(0);
    std::string streamed;
    while (!task.finished()) {
      Task* const running[] = {&task};
      translator_->Step(running, context_);
      if (task.has_output()) streamed += task.TakeText();
    }
    options_.stream = false;
    EXPECT_EQ(streamed, task.result().hypotheses.at(0).text);
    return task.result().hypotheses.at(0);
  }

  TemporaryDirectory directory_;
  std::shared_ptr<const Translator> translator_;
  TranslateOptions options_;
  Context context_{1};
};

TEST_F(RnnTranslatorTest, TellsWhatItIs) {
  Open("rnn-reference-joeynmt-mlp");
  EXPECT_EQ(translator_->spec().architecture, "rnn-seq2seq");
  EXPECT_EQ(translator_->spec().source_language, "en");
  EXPECT_EQ(translator_->spec().target_language, "de");
  EXPECT_GT(translator_->spec().weights, 1000);
  EXPECT_GT(translator_->spec().resident_bytes, 4000);
  EXPECT_TRUE(translator_->Probe(context_).ok());
}

TEST_F(RnnTranslatorTest, TiedWeightsAreCountedOnce) {
  Open("rnn-reference-tied-scaled");
  // Embeddings 13 x 7 and an output bias; encoder 2 x 3 x 5 x (7 + 5 + 2); init 10 x 11; decoder 3 x 10 x (14 + 10 +
  // 2); attention 16 x (11 + 11 + 1); context vector 7 x 21.
  EXPECT_EQ(translator_->spec().weights, 13 * 8 + 2 * 15 * 14 + 110 + 30 * 26 + 16 * 23 + 7 * 21);
}

TEST_F(RnnTranslatorTest, ABatchTranslatesAsEachSentenceAlone) {
  for (const char* fixture : {"rnn-reference-joeynmt-mlp", "rnn-reference-nematus", "rnn-reference-tutorial-1"}) {
    Open(fixture);
    options_.beam_size = 3;
    options_.n_best = 3;
    const std::vector<std::string> texts(std::begin(kRnnSentences), std::end(kRnnSentences));
    const std::vector<SentenceResult> together = Translate(texts);
    ASSERT_EQ(together.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const SentenceResult alone = Translate({texts[i]}).at(0);
      ASSERT_EQ(alone.hypotheses.size(), together[i].hypotheses.size());
      for (size_t h = 0; h < alone.hypotheses.size(); ++h) {
        EXPECT_EQ(alone.hypotheses[h].text, together[i].hypotheses[h].text);
        EXPECT_EQ(alone.hypotheses[h].score, together[i].hypotheses[h].score);
      }
    }
  }
}

TEST_F(RnnTranslatorTest, AttentionIsOverTheTokensOfTheSource) {
  Open("rnn-reference-tutorial-3");
  options_.return_attention = true;
  const SentenceResult result = Translate({"the cat sleeps"}).at(0);
  EXPECT_EQ(absl::StrJoin(result.source_tokens, " "), "<s> the cat sleeps </s>");
  const Hypothesis& best = result.hypotheses.at(0);
  ASSERT_EQ(best.attention.size(), best.tokens.size() * 5);
  for (size_t i = 0; i < best.tokens.size(); ++i) {
    float sum = 0;
    for (size_t j = 0; j < 5; ++j) sum += best.attention[i * 5 + j];
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST_F(RnnTranslatorTest, ItAlignsByItsAttention) {
  Open("rnn-reference-tutorial-3");
  options_.return_attention = options_.align = true;
  const SentenceResult result = Translate({"the cat sleeps"}).at(0);
  const Hypothesis& best = result.hypotheses.at(0);
  ASSERT_EQ(best.alignment.size(), best.tokens.size());
  const TextRange words[] = {{0, 3}, {4, 7}, {8, 14}};
  for (size_t i = 0; i < best.tokens.size(); ++i) {
    const float* const row = best.attention.data() + i * 5 + 1;  // without <s>
    EXPECT_EQ(best.alignment[i].source, words[std::max_element(row, row + 3) - row]) << i;
  }
  options_.return_attention = false;
  EXPECT_EQ(Translate({"the cat sleeps"}).at(0).hypotheses.at(0).alignment[0].source, best.alignment[0].source);
}

TEST_F(RnnTranslatorTest, WithoutAttentionPhrasesAreForcedAndNothingIsAligned) {
  Open("rnn-reference-tutorial-2");
  options_.align = true;
  SourceText text("the cat sleeps");
  text.forced = {{{4, 7}, "K_tz?"}};
  Context context{1};
  auto started = translator_->Start(absl::MakeConstSpan(&text, 1), options_, StartLimits());
  ASSERT_TRUE(started.ok()) << started.status();
  Task* const tasks[] = {started->tasks[0].get()};
  while (!tasks[0]->finished()) translator_->Step(tasks, context);
  const Hypothesis& best = started->tasks[0]->result().hypotheses.at(0);
  EXPECT_THAT(best.text, testing::HasSubstr("K_tz?"));
  EXPECT_TRUE(best.alignment.empty());
}

TEST_F(RnnTranslatorTest, WithoutAttentionNoneIsGiven) {
  Open("rnn-reference-tutorial-2");
  options_.return_attention = true;
  const absl::Status status = translator_->Start({"the cat"}, options_).status();
  EXPECT_EQ(status.message(), "options.return_attention is true, but model 'model' has no attention");
  EXPECT_EQ(FieldOf(status), "options.return_attention");
}

// The token that a translation has most often is declared the unknown one.
TEST_F(RnnTranslatorTest, AnUnknownWordBecomesTheSourceWordWithTheHighestAttention) {
  const char* const fixture = "rnn-reference-tutorial-3";
  Open(fixture);
  options_.return_attention = true;
  const std::string source = "the Zebra sleeps here";  // Zebra is unknown to the vocabulary, not to the spelling
  const Hypothesis plain = Translate({source}).at(0).hypotheses.at(0);
  const std::vector<std::string> source_words = {"<s>", "the", "Zebra", "sleeps", "here", "</s>"};
  const std::vector<std::string> vocabulary = absl::StrSplit(directory_.Read("model/target_vocab.txt"), '\n');
  const std::string unknown = plain.tokens.at(0);
  const auto id = std::find(vocabulary.begin(), vocabulary.end(), unknown) - vocabulary.begin();
  std::vector<std::string> expected;
  int replaced = 0;
  for (size_t i = 0; i < plain.tokens.size(); ++i) {
    if (plain.tokens[i] == "</s>") continue;
    if (plain.tokens[i] != unknown) {
      expected.push_back(plain.tokens[i]);
      continue;
    }
    const auto row = plain.attention.begin() + static_cast<int64_t>(i * source_words.size());
    const auto best = std::max_element(row + 1, row + static_cast<int64_t>(source_words.size()) - 1) - row;
    expected.push_back(source_words[static_cast<size_t>(best)]);
    ++replaced;
  }
  ASSERT_GT(replaced, 0);

  Open(fixture, {{"target", {{"unknown", id}, {"replace_unknown", true}}}});
  EXPECT_EQ(Translate({source}).at(0).hypotheses.at(0).text, absl::StrJoin(expected, " "));
  options_.stream = true;
  EXPECT_EQ(Translate({source}).at(0).hypotheses.at(0).text, absl::StrJoin(expected, " "));
}

// The vocabulary sees words in lower case; the answer gets them as they are in the text, joined as Moses joins words.
TEST_F(RnnTranslatorTest, ReplacedWordsAreSpelledAsInTheTextAndJoinedByMoses) {
  const char* const fixture = "rnn-reference-tutorial-3";
  const MosesTokenizer moses("fr", {.escape = true, .aggressive_hyphens = true});
  const json tokenizer = {{"moses", {{"aggressive_hyphens", true}}},
                          {"lowercase", true},
                          {"source_language", "fr"},
                          {"target_language", "fr"}};
  std::set<std::string> replaced;
  for (const char* source : kRnnMosesSentences) {
    Open(fixture, {{"tokenizer", tokenizer}});
    options_.return_attention = true;
    const Hypothesis plain = Translate({source}).at(0).hypotheses.at(0);
    const std::vector<std::string> words = moses.Tokenize(source);
    const std::vector<std::string> vocabulary = absl::StrSplit(directory_.Read("model/target_vocab.txt"), '\n');
    for (const std::string& unknown : std::set<std::string>(plain.tokens.begin(), plain.tokens.end())) {
      if (unknown == "</s>") continue;
      std::vector<std::string> expected;
      for (size_t i = 0; i < plain.tokens.size(); ++i) {
        if (plain.tokens[i] == "</s>") continue;
        expected.push_back(plain.tokens[i]);
        if (plain.tokens[i] != unknown) continue;
        const auto row =
            plain.attention.begin() + static_cast<int64_t>(i * (words.size() + 2)) + 1;  // behind the start
        const auto best = std::max_element(row, row + static_cast<int64_t>(words.size())) - row;
        expected.back() = words[static_cast<size_t>(best)];
        replaced.insert(expected.back());
      }
      const auto id = std::find(vocabulary.begin(), vocabulary.end(), unknown) - vocabulary.begin();
      Open(fixture, {{"tokenizer", tokenizer}, {"target", {{"unknown", id}, {"replace_unknown", true}}}});
      EXPECT_EQ(Streamed(source).text, MosesDetokenizer("fr").Detokenize(expected)) << source << ": " << unknown;
    }
  }
  EXPECT_THAT(replaced, IsSupersetOf({"&quot;", "@-@", "L&apos;", "Z\xc3\xbcrich"}));
}

TEST_F(RnnTranslatorTest, NoTextBecomesASpecialToken) {
  Open("rnn-reference-joeynmt-mlp");
  const std::vector<std::string> vocabulary = absl::StrSplit(directory_.Read("model/source_vocab.txt"), '\n');
  const std::string& unknown = vocabulary.at(0);
  options_.return_tokens = true;
  EXPECT_EQ(absl::StrJoin(Translate({"<s> cat"}).at(0).source_tokens, " "), "<s> cat </s>");
  Open("rnn-reference-joeynmt-mlp", {{"source", {{"special", {1, 2}}}}});
  options_.return_tokens = true;
  EXPECT_EQ(absl::StrJoin(Translate({"<s> <pad> cat"}).at(0).source_tokens, " "),
            absl::StrCat(unknown, " ", unknown, " cat </s>"));
}

TEST_F(RnnTranslatorTest, ASentenceWithoutAKnownTokenComesBackUnchanged) {
  Open("rnn-reference-opennmt-none", {{"source", {{"unknown", nullptr}}}});
  EXPECT_EQ(Translate({"Zebra Gnu"}).at(0).hypotheses.at(0).text, "Zebra Gnu");
  EXPECT_NE(Translate({"Zebra cat"}).at(0).hypotheses.at(0).text, "Zebra cat");
}

// The source's end is not something to translate.
TEST_F(RnnTranslatorTest, ASentenceWithoutAKnownTokenComesBackUnchangedAlsoWithAnEnd) {
  for (const json& source : {json{{"unknown", nullptr}, {"end", 3}}, json{{"unknown", nullptr}, {"start", 2}}}) {
    Open("rnn-reference-opennmt-none", {{"source", source}});
    const SentenceResult result = Translate({"Zebra Gnu"}).at(0);
    EXPECT_EQ(result.hypotheses.at(0).text, "Zebra Gnu");
    EXPECT_EQ(result.source_token_count, 0);
    EXPECT_NE(Translate({"Zebra cat"}).at(0).hypotheses.at(0).text, "Zebra cat");
  }
}

}  // namespace
}  // namespace heed
