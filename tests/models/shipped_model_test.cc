// SPDX-License-Identifier: Apache-2.0
// The weights that ship: they load, and everyday sentences, stories, sequences and texts come out right.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "models/architectures.h"
#include "models/kinds/language_model.h"
#include "models/kinds/question_answerer.h"
#include "models/kinds/sequence_model.h"
#include "models/kinds/translator.h"
#include "tests/support/advance.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

std::string Translate(const Translator& translator, const std::string& text) {
  Context context{1};
  auto started = translator.Start({text}, translator.default_options());
  EXPECT_TRUE(started.ok()) << started.status();
  for (const auto& task : started->tasks) Advance(translator, {task.get()}, context);
  return started->tasks[0]->result().hypotheses[0].text;
}

TEST(ShippedModel, TranslatesEverydaySentences) {
  const auto model = LoadModel(std::string(HEED_SOURCE_DIR) + "/weights/translator-en-de");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto translator = std::dynamic_pointer_cast<const Translator>(*model);
  ASSERT_NE(translator, nullptr);
  EXPECT_EQ(translator->spec().source_language, "en");
  EXPECT_EQ(translator->spec().target_language, "de");
  EXPECT_EQ(translator->default_options().beam_size, 4);
  const auto is_one_of = [&](const std::string& text, const std::vector<std::string>& right) {
    const std::string translation = Translate(*translator, text);
    EXPECT_NE(std::find(right.begin(), right.end(), translation), right.end()) << text << " -> " << translation;
  };
  is_one_of("Good morning.", {"Guten Morgen.", "Guten Morgen!"});
  is_one_of("I am hungry.", {"Ich habe Hunger.", "Ich bin hungrig.", "Ich habe Hunger!", "Ich bin hungrig!"});
  is_one_of("Where is the station?", {"Wo ist der Bahnhof?"});
  is_one_of("I love you.", {"Ich liebe dich.", "Ich liebe Sie.", "Ich liebe euch.", "Ich liebe dich!"});
}

// vocab.json of an OPUS-MT checkpoint is the union of both sides' pieces, so that a translation may have pieces that
// target.spm does not know.
TEST(ShippedModel, PiecesThatOnlyTheVocabularyHasBeginWithASpace) {
  const TemporaryDirectory directory;
  const std::string shipped = std::string(HEED_SOURCE_DIR) + "/weights/translator-en-de";
  std::filesystem::copy(shipped, directory.path());
  std::string subwords = directory.Read("target.spm");
  for (const char* piece : {"\xe2\x96\x81Schnee", "\xe2\x96\x81Hunde"}) {
    const size_t at = subwords.find(piece);
    ASSERT_NE(at, std::string::npos) << piece;
    subwords[at + 3] = 'Q';
  }
  directory.Write("target.spm", subwords);

  const auto model = LoadModel(directory.path().string());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto& translator = dynamic_cast<const Translator&>(**model);
  TranslateOptions options;
  options.stream = true;
  Context context{1};
  auto started = translator.Start({"Two dogs are playing in the snow."}, options);
  ASSERT_TRUE(started.ok()) << started.status();
  TranslationTask& task = *started->tasks[0];
  std::string streamed;
  while (!task.finished()) {
    Task* const running[] = {&task};
    translator.Step(running, context);
    if (task.has_output()) streamed += task.TakeText();
  }
  EXPECT_EQ(task.result().hypotheses[0].text, "Zwei Hunde spielen im Schnee.");
  EXPECT_EQ(streamed, "Zwei Hunde spielen im Schnee.");
}

TEST(ShippedModel, CopiesSequencesOfUpToTwentyRowsWithoutAWrongBit) {
  const auto loaded = LoadModel(std::string(HEED_SOURCE_DIR) + "/weights/ntm-copy");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto& model = dynamic_cast<const SequenceModel&>(**loaded);
  std::mt19937 random(1);
  Context context{1};
  std::vector<std::vector<float>> data;
  std::vector<std::unique_ptr<SequenceTask>> sequences;
  std::vector<Task*> tasks;
  for (size_t rows = 1; rows <= 20; ++rows) {
    for (int i = 0; i < 5; ++i) {
      std::vector<float>& bits = data.emplace_back(rows * static_cast<size_t>(model.data_width()));
      for (float& bit : bits) bit = static_cast<float>(random() % 2);
      sequences.push_back(*model.Start({model.data_width(), bits, {}, {}}));
      tasks.push_back(sequences.back().get());
    }
  }
  Advance(model, tasks, context);
  for (size_t i = 0; i < data.size(); ++i) {
    std::vector<float> copy = sequences[i]->result().values;
    for (float& value : copy) value = value >= 0.5f ? 1.0f : 0.0f;
    EXPECT_EQ(copy, data[i]) << i;
  }
}

TEST(ShippedModel, AnswersQuestionsAboutAStoryAndNamesTheFact) {
  const auto loaded = LoadModel(std::string(HEED_SOURCE_DIR) + "/weights/ntm-babi");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto& model = dynamic_cast<const QuestionAnswerer&>(**loaded);
  StoryRequest request;
  request.facts = {"Mary went to the kitchen.", "Sandra travelled to the office.", "Mary journeyed to the garden."};
  request.questions = {{"Where is Sandra?", {}}, {"Where is Mary?", {}}, {"Where is Mary?", 1}};
  request.return_attribution = true;
  auto story = model.Start(request);
  ASSERT_TRUE(story.ok()) << story.status();
  Context context{1};
  Advance(model, {story->get()}, context);
  ASSERT_TRUE((*story)->error().ok()) << (*story)->error();
  const std::vector<QuestionAnswer>& answers = (*story)->answers();
  EXPECT_EQ(answers[0].candidates[0].text, "office");
  EXPECT_EQ(answers[1].candidates[0].text, "garden");
  EXPECT_EQ(answers[2].candidates[0].text, "kitchen");
  ASSERT_FALSE(answers[0].facts.empty());
  EXPECT_EQ(answers[0].facts[0].fact, 1);
}

TEST(ShippedModel, FollowsAChainOfFactsAndPutsTwoTogether) {
  const auto loaded = LoadModel(std::string(HEED_SOURCE_DIR) + "/weights/ntm-babi");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto& model = dynamic_cast<const QuestionAnswerer&>(**loaded);
  const auto answers = [&](const std::vector<std::string>& facts, const std::vector<std::string>& questions) {
    StoryRequest request;
    request.facts = facts;
    for (const std::string& question : questions) request.questions.push_back({question, {}});
    auto story = model.Start(request);
    EXPECT_TRUE(story.ok()) << story.status();
    Context context{1};
    Advance(model, {story->get()}, context);
    std::vector<std::string> texts;
    for (const QuestionAnswer& answer : (*story)->answers()) texts.push_back(answer.candidates[0].text);
    return texts;
  };
  // bAbI's task 16: Greg is a swan, the swan whose color is told is gray.
  EXPECT_EQ(answers({"Lily is a swan.", "Brian is a frog.", "Lily is gray.", "Brian is green.", "Greg is a swan."},
                    {"What color is Greg?", "What color is Brian?", "What is Lily?"}),
            (std::vector<std::string>{"gray", "green", "swan"}));
  // Task 17.
  EXPECT_EQ(
      answers({"The triangle is above the pink rectangle.", "The blue square is to the left of the triangle."},
              {"Is the pink rectangle to the right of the blue square?", "Is the pink rectangle above the blue square?",
               "Where is the blue square from the pink rectangle?"}),
      (std::vector<std::string>{"yes", "no", "above,left"}));
}

std::shared_ptr<const LanguageModel> LoadLanguageModel(const std::string& name) {
  auto loaded = LoadModel(std::string(HEED_SOURCE_DIR) + "/weights/" + name);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? std::dynamic_pointer_cast<const LanguageModel>(*loaded) : nullptr;
}

template <typename Started>
auto ResultOf(const LanguageModel& model, Started started) {
  Context context{1};
  EXPECT_TRUE(started.ok()) << started.status();
  Advance(model, {started->get()}, context);
  EXPECT_TRUE((*started)->error().ok()) << (*started)->error();
  return (*started)->result();
}

TEST(ShippedModel, ScoresASentenceOfANovelAndGoesOnWithIt) {
  const auto model = LoadLanguageModel("txl-novels");
  ASSERT_NE(model, nullptr);
  const auto score = [&](const std::string& text) {
    ScoreRequest request;
    request.text = text;
    return ResultOf(*model, model->StartScore(request, {}));
  };
  const ScoreResult sentence = score("She opened the door and went out.");
  EXPECT_EQ(sentence.tokens, 7);
  EXPECT_EQ(sentence.unknown_tokens, 0);
  EXPECT_NEAR(sentence.log_probability, -19.8173, 0.01);
  EXPECT_LT(score("She and door out the went opened.").log_probability, sentence.log_probability - 10);

  GenerateRequest request;
  request.prompt = "She opened the door and";
  request.options = model->default_options();
  request.options.max_tokens = 5;
  const GenerateResult continuation = ResultOf(*model, model->StartGenerate(request, {}));
  EXPECT_EQ(continuation.texts.at(0).text, " went to the door.");
}

TEST(ShippedModel, FillsTheGapInASentenceOfANovel) {
  const auto model = LoadLanguageModel("xlnet-novels");
  ASSERT_NE(model, nullptr);
  FillInRequest request;
  request.text = "She opened the ____ and went out.";
  request.gaps = {{15, 19, {}}};
  const FillInResult filled = ResultOf(*model, model->StartFillIn(request, {}));
  ASSERT_EQ(filled.gaps.size(), 1u);
  std::vector<std::string> texts;
  for (const GapFilling& filling : filled.gaps[0]) texts.push_back(filling.text);
  EXPECT_NE(std::find(texts.begin(), texts.end(), "room"), texts.end()) << testing::PrintToString(texts);
  EXPECT_NE(std::find(texts.begin(), texts.end(), "door"), texts.end()) << testing::PrintToString(texts);
}

TEST(ShippedModel, TellsAnOpinionFromAPlot) {
  const auto model = LoadLanguageModel("xlnet-subjectivity");
  ASSERT_NE(model, nullptr);
  const auto label = [&](const std::string& text) {
    TextClassificationRequest request;
    request.text = text;
    return ResultOf(*model, model->StartClassify(request, {})).labels.at(0).label;
  };
  EXPECT_EQ(label("A warm and funny film."), "subjective");
  EXPECT_EQ(label("The young detective returns to the village where he was born."), "objective");
}

}  // namespace
}  // namespace heed
