// SPDX-License-Identifier: Apache-2.0
// The translator over a real network: options, splitting, streams, and that company changes nothing.
#include "models/kinds/translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/linear/precision.h"
#include "models/architectures.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::HasSubstr;

const char* const kSentences[] = {"The cat sleeps under the old table.", "Is it cold?",
                                  "A red dog runs to the sea.",          "My sister reads.",
                                  "We drink water and eat bread.",       "Good morning!"};

std::shared_ptr<const Translator> Load(const std::string& fixture, Precision precision = Precision::kF32) {
  auto model = LoadModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, "", precision);
  EXPECT_TRUE(model.ok()) << model.status();
  return std::dynamic_pointer_cast<const Translator>(*model);
}

void RunToEnd(const Translator& translator, absl::Span<const std::unique_ptr<TranslationTask>> tasks,
              Context& context) {
  for (;;) {
    std::vector<Task*> running;
    for (const auto& task : tasks) {
      if (!task->finished()) running.push_back(task.get());
    }
    if (running.empty()) return;
    translator.Step(running, context);
  }
}

std::vector<Hypothesis> Translate(const Translator& translator, const std::string& text,
                                  const TranslateOptions& options) {
  Context context{1};
  auto started = translator.Start({text}, options);
  EXPECT_TRUE(started.ok()) << started.status();
  RunToEnd(translator, started->tasks, context);
  return started->tasks[0]->result().hypotheses;
}

class TranslatorTest : public testing::Test {
 protected:
  std::string RefusalOf(const TranslateOptions& options, const std::string& text = "cat") {
    const auto started = translator_->Start({text}, options);
    EXPECT_EQ(started.status().code(), absl::StatusCode::kInvalidArgument) << started.status();
    return std::string(started.status().message());
  }

  std::shared_ptr<const Translator> translator_ = Load("marian-swish");
  TranslateOptions greedy_;
};

// Of a model that reads several languages, each text's own rules say where its sentences end.
TEST_F(TranslatorTest, SentencesFollowTheLanguageOfTheText) {
  const TemporaryDirectory directory;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/marian-swish")) {
    std::filesystem::copy(file, directory.path() / file.path().filename());
  }
  std::string config = directory.Read("tokenizer_config.json");
  config.replace(config.find("\"en\""), 4, "\"deu+eng\"");
  config.replace(config.find("\"de\""), 4, "\"fra\"");
  directory.Write("tokenizer_config.json", config);
  const auto model = LoadModel(directory.path().string());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto sentences = [&](const std::string& language) {
    SourceText text("Das Fest war am 3. Oktober.");
    text.language = language;
    const auto started = ModelAs<Translator>(**model).Start({text}, TranslateOptions(), StartLimits());
    EXPECT_TRUE(started.ok()) << started.status();
    return started.ok() ? started->tasks.size() : 0;
  };
  EXPECT_EQ(sentences("de"), 1u);
  EXPECT_EQ(sentences("en"), 2u);
}

TEST_F(TranslatorTest, TellsWhatItIs) {
  const ModelSpec& spec = translator_->spec();
  EXPECT_EQ(spec.name, "marian-swish");
  EXPECT_EQ(translator_->kind(), ModelKind::kTranslator);
  EXPECT_EQ(spec.architecture, "marian");
  EXPECT_EQ(spec.source_language, "en");
  EXPECT_EQ(spec.target_language, "de");
  EXPECT_GT(spec.weights, 1000);
  EXPECT_GT(spec.resident_bytes, spec.weights * 2);
}

TEST_F(TranslatorTest, OptionsOutOfRangeAreNamedWithBothValues) {
  TranslateOptions options;
  options.beam_size = 33;
  EXPECT_THAT(RefusalOf(options), testing::AllOf(HasSubstr("beam_size"), HasSubstr("33"), HasSubstr("32")));
  options = {};
  options.n_best = 2;
  EXPECT_THAT(RefusalOf(options), testing::AllOf(HasSubstr("n_best"), HasSubstr("2"), HasSubstr("1 to 1")));
  options = {};
  options.length_penalty = std::nanf("");
  EXPECT_THAT(RefusalOf(options), HasSubstr("length_penalty"));
  options = {};
  options.max_tokens = 1 << 20;
  EXPECT_THAT(RefusalOf(options), testing::AllOf(HasSubstr("max_tokens"), HasSubstr("1048576")));
  options = {};
  options.min_tokens = 9;
  options.max_tokens = 9;
  EXPECT_THAT(RefusalOf(options), HasSubstr("min_tokens"));
  options = {};
  options.no_repeat_ngram = -1;
  EXPECT_THAT(RefusalOf(options), HasSubstr("no_repeat_ngram"));
  options = {};
  options.sample = true;
  options.beam_size = 2;
  EXPECT_THAT(RefusalOf(options), HasSubstr("beam_size"));
  options.beam_size = 1;
  options.sampling.temperature = 0;
  EXPECT_THAT(RefusalOf(options), HasSubstr("temperature"));
  options.sampling = {};
  options.sampling.top_p = 1.5;
  EXPECT_THAT(RefusalOf(options), testing::AllOf(HasSubstr("top_p"), HasSubstr("1.5")));
  options.sampling = {};
  options.sampling.top_k = -3;
  EXPECT_THAT(RefusalOf(options), testing::AllOf(HasSubstr("top_k"), HasSubstr("-3")));
  EXPECT_THAT(RefusalOf({}, "ab\xff"), testing::AllOf(HasSubstr("texts[0]"), HasSubstr("byte 2")));
  options = {};
  options.target_prefix = "Der Hund und die Katze und der Baum.";
  options.max_tokens = 3;
  EXPECT_THAT(RefusalOf(options), testing::AllOf(HasSubstr("target_prefix"), HasSubstr("at most 3")));
  options.max_tokens = 0;
  options.target_prefix = std::string(20000, 'a');
  EXPECT_THAT(RefusalOf(options), HasSubstr("options.target_prefix has 20000 bytes, but the model's 512 positions hold "
                                            "at most 16384"));
}

TEST_F(TranslatorTest, BlankTextIsFinishedAtOnce) {
  const auto started = translator_->Start({"", " \n"}, greedy_);
  ASSERT_TRUE(started.ok());
  ASSERT_EQ(started->tasks.size(), 2u);
  for (const auto& task : started->tasks) {
    EXPECT_TRUE(task->finished());
    EXPECT_TRUE(task->has_output());
    EXPECT_EQ(task->result().hypotheses.at(0).text, "");
    EXPECT_EQ(task->peak_bytes(), 0);
  }
  EXPECT_EQ(started->trailing[1], " \n");
}

TEST_F(TranslatorTest, SentencesOfATextAreTasksInOrder) {
  const auto started = translator_->Start({"Is it cold?  My sister reads.\n", "A cat."}, greedy_);
  ASSERT_TRUE(started.ok());
  ASSERT_EQ(started->tasks.size(), 3u);
  EXPECT_EQ(started->tasks[1]->source(), "My sister reads.");
  EXPECT_EQ(started->places[1].text, 0);
  EXPECT_EQ(started->places[1].sentence, 1);
  EXPECT_EQ(started->places[1].separator, "  ");
  EXPECT_EQ(started->trailing[0], "\n");
  EXPECT_EQ(started->places[2].text, 1);
  TranslateOptions whole;
  whole.split_sentences = false;
  EXPECT_EQ(translator_->Start({"Is it cold?  My sister reads."}, whole)->tasks.size(), 1u);
}

// A run of unknown characters is one token, however long: tokenizing a megabyte of them took ten seconds.
TEST_F(TranslatorTest, VastSentencesAreCutBeforeTheyAreTokenized) {
  const std::shared_ptr<const Translator> short_positions = Load("marian-gelu-untied");  // 96 positions
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "\xe4\xb8\x96";
  const auto started = short_positions->Start({text}, short_positions->default_options());
  ASSERT_TRUE(started.ok()) << started.status();
  std::string joined;
  for (size_t i = 0; i < started->tasks.size(); ++i) {
    EXPECT_LE(started->tasks[i]->source().size(), 96u * 32);
    joined += started->places[i].separator + started->tasks[i]->source();
  }
  EXPECT_EQ(joined, text);
}

TEST_F(TranslatorTest, ASentenceBeyondThePositionsIsSplitAndNothingIsLost) {
  const std::shared_ptr<const Translator> short_positions = Load("marian-gelu-untied");  // 96 positions
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the cat sees the dog, ";
  text += "and the end.";
  TranslateOptions whole;
  whole.split_sentences = false;
  const auto started = short_positions->Start({">>de<< " + text}, whole);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_GT(started->tasks.size(), 10u);
  std::string joined;
  for (size_t i = 0; i < started->tasks.size(); ++i) {
    std::string source = started->tasks[i]->source();
    ASSERT_EQ(source.substr(0, 7), ">>de<< ");  // a language token counts for every part
    joined += started->places[i].separator + source.substr(7);
    EXPECT_LE(started->tasks[i]->next_rows(), 96);
  }
  EXPECT_EQ(joined, text);
}

TEST_F(TranslatorTest, PlacesSayWhereSentencesBeginInTheirText) {
  const std::shared_ptr<const Translator> multilingual = Load("marian-gelu-untied");
  const std::string text = " >>de<<  Is it cold?  My sister reads.\n>>de<< A cat. \n";
  const auto started = multilingual->Start({text}, multilingual->default_options());
  ASSERT_TRUE(started.ok()) << started.status();
  ASSERT_EQ(started->tasks.size(), 3u);
  for (size_t i = 0; i < started->tasks.size(); ++i) {
    const SentencePlace& place = started->places[i];
    const std::string sentence = started->tasks[i]->source().substr(place.code_bytes);
    EXPECT_EQ(text.substr(place.begin, sentence.size()), sentence);
    EXPECT_EQ(place.code_bytes, i == 2 ? 7u : 8u);
  }
}

TEST_F(TranslatorTest, AnUnknownLanguageIsRefusedWithThoseThatAreKnown) {
  const std::shared_ptr<const Translator> multilingual = Load("marian-gelu-untied");
  const auto started = multilingual->Start({">>xx<< cat"}, greedy_);
  EXPECT_EQ(started.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(started.status().message()),
              testing::AllOf(HasSubstr(">>xx<<"), HasSubstr(">>de<<"), HasSubstr(">>fr<<")));
  EXPECT_TRUE(translator_->Start({">>xx<< cat"}, greedy_).ok());  // without language tokens it is text
}

// The text's bytes if every sentence came back as it is.
std::string Joined(const StartedTranslation& started, int text) {
  std::string joined;
  for (size_t i = 0; i < started.tasks.size(); ++i) {
    if (started.places[i].text == text) joined += started.places[i].separator + started.tasks[i]->source();
  }
  return joined + started.trailing[static_cast<size_t>(text)];
}

TEST_F(TranslatorTest, ALanguageCodeHoldsForTheSentencesOfItsLine) {
  const std::shared_ptr<const Translator> multilingual = Load("marian-gelu-untied");
  const auto sources = [&](const std::string& text) {
    const auto started = multilingual->Start({text}, greedy_);
    EXPECT_TRUE(started.ok()) << started.status();
    std::vector<std::string> found;
    for (const auto& task : started->tasks) found.push_back(task->source());
    return found;
  };
  EXPECT_THAT(sources(" >>de<< A cat. A dog."), testing::ElementsAre(">>de<< A cat.", ">>de<< A dog."));
  EXPECT_THAT(sources("\ufeff>>de<< A cat.\n>>fr<< A dog. A cat.\nA dog."),
              testing::ElementsAre(">>de<< A cat.", ">>fr<< A dog.", ">>fr<< A cat.", ">>de<< A dog."));
  EXPECT_THAT(sources(">>Hello<<, said the man."), testing::ElementsAre(">>Hello<<, said the man."));
  EXPECT_THAT(sources(">> A whole quoted sentence <<"), testing::ElementsAre(">> A whole quoted sentence <<"));
  // The code is a token of its own, and only one that begins a line.
  const auto rows = [&](const std::string& text) {
    return multilingual->Start({text}, greedy_)->tasks[0]->next_rows();
  };
  EXPECT_EQ(rows(">>de<< A cat."), rows("A cat.") + 1);
  EXPECT_GT(rows(">>de<< >>fr<< A cat."), rows("A cat.") + 2);
  const auto refused = multilingual->Start({"A cat.\n>>xx<<"}, greedy_);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("texts[0] has a line that begins with >>xx<<"));
}

TEST_F(TranslatorTest, TextWithoutLettersComesBackAsItIs) {
  const std::shared_ptr<const Translator> multilingual = Load("marian-gelu-untied");
  for (const char* text : {"-", "...", "5", "3.50", "????????", "\u2605 \u2605 \u2605", "1.\t2.\n--\n\u200b!"}) {
    const auto started = translator_->Start({text}, greedy_);
    ASSERT_TRUE(started.ok()) << started.status();
    for (const auto& task : started->tasks) {
      EXPECT_TRUE(task->finished()) << text;
      EXPECT_EQ(task->result().hypotheses.at(0).text, task->source());
      EXPECT_TRUE(task->result().source_tokens.empty());
    }
    EXPECT_EQ(Joined(*started, 0), text);
  }
  const auto coded = multilingual->Start({">>de<< 5"}, greedy_);
  EXPECT_EQ(coded->tasks[0]->result().hypotheses.at(0).text, "5");
}

TEST_F(TranslatorTest, InvisibleTextIsNotTranslated) {
  const std::shared_ptr<const Translator> multilingual = Load("marian-gelu-untied");
  for (const char* invisible : {"\u200b", "\ufeff", "\u200e", "\x07", "\u0301"}) {
    for (const auto& [prefix, translator] : {std::pair{"", translator_}, std::pair{">>de<< ", multilingual}}) {
      const auto started = translator->Start({std::string(prefix) + invisible}, greedy_);
      ASSERT_TRUE(started.ok()) << started.status();
      ASSERT_EQ(started->tasks.size(), 1u);
      EXPECT_TRUE(started->tasks[0]->finished());
      EXPECT_EQ(Joined(*started, 0), invisible);
    }
    const std::string text = std::string("A cat.\n") + invisible + "\nA dog.";
    const auto started = translator_->Start({text}, greedy_);
    EXPECT_EQ(started->tasks.size(), 2u) << invisible;
    EXPECT_EQ(Joined(*started, 0), text);
  }
}

TEST_F(TranslatorTest, ThePrefixBeginsTheFirstTranslationEvenBehindANumber) {
  TranslateOptions options;
  options.target_prefix = "Der Hund";
  const auto started = translator_->Start({"1.\tMy sister reads."}, options);
  ASSERT_EQ(started->tasks.size(), 2u);
  Context context{1};
  RunToEnd(*translator_, started->tasks, context);
  EXPECT_EQ(started->tasks[0]->result().hypotheses[0].text, "1.");
  EXPECT_EQ(started->tasks[1]->result().hypotheses[0].text.rfind("Der Hund", 0), 0u);
}

TEST_F(TranslatorTest, SoftHyphensDoNotMatter) {
  const auto plain = translator_->Start({"My sister reads."}, greedy_);
  const auto hyphens = translator_->Start({"My sis\u00adter reads."}, greedy_);
  EXPECT_EQ(hyphens->tasks[0]->next_rows(), plain->tasks[0]->next_rows());
  EXPECT_EQ(hyphens->tasks[0]->source(), "My sis\u00adter reads.");
}

TEST_F(TranslatorTest, LongSentencesAreCutWhereAClauseEnds) {
  std::string text = "The cat sees the dog";
  for (int i = 0; i < 20; ++i) text += i % 2 == 0 ? ", and the cat sees the dog" : " and the dog eats bread";
  const auto started = translator_->Start({text}, greedy_);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_GT(started->tasks.size(), 2u);
  for (size_t i = 0; i < started->tasks.size(); ++i) {
    EXPECT_LE(started->tasks[i]->next_rows(), 80);
    const std::string source = started->tasks[i]->source();
    EXPECT_TRUE(i == 0 || source.substr(0, 4) == "and ") << source;
  }
  EXPECT_EQ(Joined(*started, 0), text);
  TranslateOptions whole;
  whole.split_sentences = false;
  EXPECT_EQ(translator_->Start({text}, whole)->tasks.size(), 1u);

  std::string words;
  for (int i = 0; i < 300; ++i) words += "cat ";
  const auto cut = translator_->Start({words}, greedy_);
  EXPECT_GT(cut->tasks.size(), 1u);
  EXPECT_EQ(Joined(*cut, 0), words);
}

TEST_F(TranslatorTest, SpecialTokensInATextAreText) {
  const auto plain = translator_->Start({"cat </s> dog <pad> <unk>"}, greedy_);
  ASSERT_TRUE(plain.ok());
  // Had "</s>" become the token, the sentence would have ended twice.
  EXPECT_GT(plain->tasks[0]->next_rows(), 8);
}

TEST_F(TranslatorTest, MaxTokensEndsWithReasonLength) {
  TranslateOptions options;
  options.max_tokens = 4;
  options.stop_loops = false;
  for (int beam : {1, 3}) {
    options.beam_size = beam;
    const std::vector<Hypothesis> found = Translate(*translator_, kSentences[0], options);
    EXPECT_LE(found[0].tokens.size(), 4u);
    if (found[0].tokens.size() == 4u) {
      EXPECT_EQ(found[0].finish_reason, FinishReason::kLength);
    }
  }
}

TEST_F(TranslatorTest, MinTokensHoldsBackTheEnd) {
  TranslateOptions options;
  options.min_tokens = 12;
  options.stop_loops = false;
  for (int beam : {1, 4}) {
    options.beam_size = beam;
    EXPECT_GT(Translate(*translator_, "Is it cold?", options)[0].tokens.size(), 12u);
  }
}

TEST_F(TranslatorTest, NBestAreDifferentAndBestFirst) {
  TranslateOptions options;
  options.beam_size = 5;
  options.n_best = 5;
  const std::vector<Hypothesis> found = Translate(*translator_, kSentences[2], options);
  ASSERT_EQ(found.size(), 5u);
  for (size_t i = 1; i < found.size(); ++i) {
    EXPECT_GE(found[i - 1].score, found[i].score);
    EXPECT_NE(found[i - 1].tokens, found[i].tokens);
  }
}

TEST_F(TranslatorTest, TheTranslationBeginsWithThePrefix) {
  TranslateOptions options;
  options.target_prefix = "Der Hund";
  for (int beam : {1, 4}) {
    options.beam_size = beam;
    EXPECT_EQ(Translate(*translator_, kSentences[3], options)[0].text.rfind("Der Hund", 0), 0u);
  }
}

TEST_F(TranslatorTest, NoNgramOccursTwice) {
  TranslateOptions options;
  options.no_repeat_ngram = 2;
  for (int beam : {1, 4}) {
    options.beam_size = beam;
    const std::vector<std::string> tokens = Translate(*translator_, kSentences[0], options)[0].tokens;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (size_t i = 1; i < tokens.size(); ++i) pairs.push_back({tokens[i - 1], tokens[i]});
    std::sort(pairs.begin(), pairs.end());
    EXPECT_EQ(std::adjacent_find(pairs.begin(), pairs.end()), pairs.end());
  }
}

TEST_F(TranslatorTest, TheSameSeedGivesTheSameSample) {
  TranslateOptions options;
  options.sample = true;
  options.sampling.seed = 5;
  options.sampling.temperature = 2;
  const std::vector<Hypothesis> first = Translate(*translator_, kSentences[0], options);
  EXPECT_EQ(Translate(*translator_, kSentences[0], options)[0].tokens, first[0].tokens);
  options.sampling.seed = 6;
  EXPECT_NE(Translate(*translator_, kSentences[0], options)[0].tokens, first[0].tokens);
}

TEST_F(TranslatorTest, SamplingAmongOneTokenIsGreedy) {
  const std::vector<Hypothesis> greedy = Translate(*translator_, kSentences[4], greedy_);
  TranslateOptions options;
  options.sample = true;
  options.sampling.top_k = 1;
  EXPECT_EQ(Translate(*translator_, kSentences[4], options)[0].tokens, greedy[0].tokens);
  options.sampling.top_k = 0;
  options.sampling.top_p = 1e-6f;
  EXPECT_EQ(Translate(*translator_, kSentences[4], options)[0].tokens, greedy[0].tokens);
}

TEST_F(TranslatorTest, AttentionRowsAddUpToOne) {
  for (int beam : {1, 4}) {
    TranslateOptions options;
    options.beam_size = beam;
    options.return_attention = true;
    Context context{1};
    auto started = translator_->Start({kSentences[0]}, options);
    RunToEnd(*translator_, started->tasks, context);
    const SentenceResult& result = started->tasks[0]->result();
    const Hypothesis& best = result.hypotheses[0];
    ASSERT_EQ(best.attention.size(), best.tokens.size() * result.source_tokens.size());
    for (size_t t = 0; t < best.tokens.size(); ++t) {
      float sum = 0;
      for (size_t s = 0; s < result.source_tokens.size(); ++s)
        sum += best.attention[t * result.source_tokens.size() + s];
      EXPECT_NEAR(sum, 1.0f, 1e-5);
    }
  }
}

TEST_F(TranslatorTest, PiecesOfAStreamMakeUpTheText) {
  for (const char* fixture : {"marian-swish", "marian-relu", "marian-gelu-untied"}) {
    const std::shared_ptr<const Translator> translator = Load(fixture);
    for (const char* sentence : kSentences) {
      TranslateOptions options;
      options.stream = true;
      Context context{1};
      auto started = translator->Start({sentence}, options);
      TranslationTask& task = *started->tasks[0];
      std::string text;
      while (!task.finished()) {
        Task* const running[] = {&task};
        translator->Step(running, context);
        if (task.has_output()) text += task.TakeText();
      }
      EXPECT_EQ(text, task.result().hypotheses[0].text);
    }
  }
}

TEST_F(TranslatorTest, LoopsAreCutAndNamed) {
  int loops = 0;
  for (const char* sentence : kSentences) {
    const std::shared_ptr<const Translator> translator = Load("marian-gelu-untied");
    TranslateOptions options;
    options.min_tokens = 60;  // drives these tiny networks into repetition
    options.max_tokens = 90;
    const std::vector<Hypothesis> found = Translate(*translator, sentence, options);
    if (found[0].finish_reason != FinishReason::kLoop) continue;
    ++loops;
    EXPECT_LT(found[0].tokens.size(), 60u);
    options.stop_loops = false;
    EXPECT_GT(Translate(*translator, sentence, options)[0].tokens.size(), 60u);
  }
  EXPECT_GT(loops, 0);
}

// 200 requests of every kind, each alone on one thread, then all together on two, joining and leaving a running batch
// in random order: not a bit of any result may differ.
class AloneAndMerged : public testing::TestWithParam<Precision> {};

TEST_P(AloneAndMerged, GiveTheSameBits) {
  for (const char* fixture : {"marian-swish", "marian-gelu-untied"}) {
    const std::shared_ptr<const Translator> translator = Load(fixture, GetParam());
    std::mt19937 random(4);
    struct Request {
      std::string text;
      TranslateOptions options;
    };
    std::vector<Request> requests;
    for (int i = 0; i < 200; ++i) {
      Request request;
      for (unsigned words = 1 + random() % 3; words > 0; --words) {
        request.text += std::string(kSentences[random() % std::size(kSentences)]) + " ";
      }
      TranslateOptions& options = request.options;
      options.split_sentences = random() % 2 == 0;
      options.max_tokens = 8 + static_cast<int>(random() % 40);
      options.return_attention = random() % 3 == 0;
      options.align = i % 3 == 0;
      options.no_repeat_ngram = random() % 4 == 0 ? 3 : 0;
      if (random() % 4 == 0) {
        options.sample = true;
        options.sampling.seed = random();
        options.sampling.top_k = random() % 2 == 0 ? 0 : 7;
        options.sampling.top_p = 0.9f;
      } else {
        options.beam_size = 1 + static_cast<int>(random() % 6);
        options.n_best = 1 + static_cast<int>(random() % static_cast<unsigned>(options.beam_size));
        options.length_penalty = 0.5f + static_cast<float>(random() % 3);
        options.early_stopping = static_cast<EarlyStopping>(random() % 3);
      }
      if (random() % 5 == 0) options.target_prefix = "Der";
      requests.push_back(std::move(request));
    }

    Context alone{1}, team{2};
    std::vector<StartedTranslation> expected, merged;
    for (const Request& request : requests) {
      expected.push_back(*translator->Start({request.text}, request.options));
      for (const auto& task : expected.back().tasks) RunToEnd(*translator, {&task, 1}, alone);
      merged.push_back(*translator->Start({request.text}, request.options));
    }
    std::vector<Task*> waiting, running;
    for (const StartedTranslation& started : merged) {
      for (const auto& task : started.tasks) waiting.push_back(task.get());
    }
    std::shuffle(waiting.begin(), waiting.end(), random);
    size_t most = 0;
    while (!waiting.empty() || !running.empty()) {
      for (unsigned joining = random() % 9; joining > 0 && !waiting.empty() && running.size() < 48; --joining) {
        running.push_back(waiting.back());
        waiting.pop_back();
      }
      std::shuffle(running.begin(), running.end(), random);
      most = std::max(most, running.size());
      if (!running.empty()) translator->Step(running, team);
      std::erase_if(running, [](const Task* task) { return task->finished(); });
    }
    EXPECT_GE(most, 20u);

    for (size_t r = 0; r < requests.size(); ++r) {
      ASSERT_EQ(expected[r].tasks.size(), merged[r].tasks.size());
      for (size_t t = 0; t < expected[r].tasks.size(); ++t) {
        const auto& a = expected[r].tasks[t]->result().hypotheses;
        const auto& b = merged[r].tasks[t]->result().hypotheses;
        ASSERT_EQ(a.size(), b.size());
        for (size_t h = 0; h < a.size(); ++h) {
          EXPECT_EQ(a[h].tokens, b[h].tokens);
          const auto same = [](const AlignedToken& x, const AlignedToken& y) {
            return x.target == y.target && x.source == y.source;
          };
          EXPECT_TRUE(std::equal(a[h].alignment.begin(), a[h].alignment.end(), b[h].alignment.begin(),
                                 b[h].alignment.end(), same));
          EXPECT_EQ(std::memcmp(&a[h].score, &b[h].score, sizeof(float)), 0) << a[h].score << " " << b[h].score;
          ASSERT_EQ(a[h].attention.size(), b[h].attention.size());
          EXPECT_TRUE(a[h].attention.empty() || std::memcmp(a[h].attention.data(), b[h].attention.data(),
                                                            a[h].attention.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, AloneAndMerged, testing::Values(Precision::kF32, Precision::kInt8),
                         [](const auto& parameter) { return std::string(PrecisionName(parameter.param)); });

}  // namespace
}  // namespace heed
