// SPDX-License-Identifier: Apache-2.0
#include "models/language/causal_language_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/advance.h"
#include "tests/support/table_network.h"

namespace heed {
namespace {

class TableModel : public CausalLanguageModel {
 public:
  TableModel() : CausalLanguageModel(MakeParts()) {}

 private:
  static Parts MakeParts() {
    Parts parts;
    parts.spec.name = "table";
    parts.spec.architecture = "table";
    parts.tokenizer = std::make_unique<TableTokenizer>();
    parts.network = std::make_unique<TableNetwork>();
    parts.uses.score = true;
    parts.uses.embed = false;
    return parts;
  }
};

class CausalLanguageModelTest : public testing::Test {
 protected:
  std::unique_ptr<ScoreTask> Score(ScoreRequest request) {
    auto task = model_.StartScore(std::move(request), StartLimits());
    EXPECT_TRUE(task.ok()) << task.status();
    Advance(model_, {task->get()}, context_);
    EXPECT_TRUE((*task)->error().ok()) << (*task)->error();
    return *std::move(task);
  }
  std::unique_ptr<GenerateTask> Generate(GenerateRequest request) {
    auto task = model_.StartGenerate(std::move(request), StartLimits());
    EXPECT_TRUE(task.ok()) << task.status();
    Advance(model_, {task->get()}, context_);
    EXPECT_TRUE((*task)->error().ok()) << (*task)->error();
    return *std::move(task);
  }
  absl::Status ScoreError(ScoreRequest request) { return model_.StartScore(std::move(request), {}).status(); }
  absl::Status GenerateError(GenerateRequest request) { return model_.StartGenerate(std::move(request), {}).status(); }
  static GenerateRequest Prompt(const std::string& prompt, int max_tokens) {
    GenerateRequest request;
    request.prompt = prompt;
    request.options.max_tokens = max_tokens;
    request.options.stop_loops = false;
    return request;
  }

  TableModel model_;
  Context context_{1};
};

TEST_F(CausalLanguageModelTest, ScoresEachTokenGivenThoseBeforeIt) {
  ScoreRequest request;
  request.text = "w1 w2  w3";
  request.options.return_tokens = true;
  request.options.top_k = 2;
  const ScoreResult result = Score(request)->result();
  ASSERT_EQ(result.token_scores.size(), 3u);
  EXPECT_FALSE(result.token_scores[0].log_probability.has_value());
  const std::vector<float> second = TableNetwork::Next(-1, 1), third = TableNetwork::Next(1, 2);
  EXPECT_EQ(result.token_scores[1].log_probability, second[2]);
  EXPECT_EQ(result.token_scores[2].log_probability, third[3]);
  EXPECT_EQ(result.token_scores[2].start, 7);
  EXPECT_EQ(result.token_scores[2].end, 9);
  EXPECT_EQ(result.token_scores[2].top[0].log_probability, *std::max_element(third.begin(), third.end()));
  EXPECT_EQ(result.tokens, 2);
  EXPECT_EQ(result.words, 3);
  EXPECT_EQ(result.bytes, 9);
  EXPECT_DOUBLE_EQ(result.log_probability, static_cast<double>(second[2]) + static_cast<double>(third[3]));
  EXPECT_DOUBLE_EQ(result.perplexity(), std::exp(-result.log_probability / 2));
}

TEST_F(CausalLanguageModelTest, ScoresOnlyTheTextBehindAContext) {
  ScoreRequest request;
  request.context = "w1 w";
  request.text = "2 w3";
  request.options.return_tokens = true;
  const ScoreResult result = Score(request)->result();
  ASSERT_EQ(result.token_scores.size(), 2u);  // "w2" reaches into the text
  EXPECT_EQ(result.token_scores[0].token, "w2");
  EXPECT_EQ(result.token_scores[0].start, 0);
  EXPECT_EQ(result.token_scores[0].end, 1);
  EXPECT_EQ(result.token_scores[0].log_probability, TableNetwork::Next(-1, 1)[2]);
}

TEST_F(CausalLanguageModelTest, NamesUnknownWordsOnce) {
  ScoreRequest request;
  request.text = "zebra w1 zebra <end>";
  const ScoreResult result = Score(request)->result();
  EXPECT_EQ(result.unknown_words, (std::vector<std::string>{"zebra", "<end>"}));
  EXPECT_EQ(result.unknown_tokens, 3);
}

TEST_F(CausalLanguageModelTest, ALongTextIsReadInSteps) {
  ScoreRequest request;
  double expected = 0;
  for (int i = 0; i < 1000; ++i) request.text += i == 0 ? "w0" : " w" + std::to_string(i * i % 7);
  auto task = model_.StartScore(request, StartLimits());
  ASSERT_TRUE(task.ok());
  EXPECT_EQ((*task)->next_rows(), 128);
  for (int i = 1; i < 1000; ++i) {
    const int32_t before = i < 2 ? -1 : (i - 2) * (i - 2) % 7;
    expected += static_cast<double>(TableNetwork::Next(before, (i - 1) * (i - 1) % 7)[static_cast<size_t>(i * i % 7)]);
  }
  Advance(model_, {task->get()}, context_);
  EXPECT_NEAR((*task)->result().log_probability, expected, 1e-9);
}

TEST_F(CausalLanguageModelTest, ASessionGoesOnWhereItWas) {
  ScoreRequest whole;
  whole.text = "w1 w2 w3 w4 w5";
  const double expected = Score(whole)->result().log_probability;
  ScoreRequest first;
  first.text = "w1 w2 w3";
  first.state = model_.NewState();
  first.keep_state = true;
  const auto task = Score(first);
  ScoreRequest second;
  second.text = "w4 w5";
  second.state = *model_.ParseState(task->state()->Serialize());
  EXPECT_EQ(second.state->units(), 3);
  EXPECT_DOUBLE_EQ(task->result().log_probability + Score(second)->result().log_probability, expected);
}

TEST_F(CausalLanguageModelTest, GreedyGenerationTakesTheLikeliest) {
  GenerateRequest request = Prompt("w1 w2", 5);
  request.options.return_tokens = true;
  request.options.top_k_alternatives = 3;
  request.options.stop_at_end = false;
  const GenerateResult result = Generate(request)->result();
  ASSERT_EQ(result.texts.size(), 1u);
  const GeneratedText& text = result.texts[0];
  ASSERT_EQ(text.tokens.size(), 5u);
  int32_t before = 1, last = 2;
  double sum = 0;
  for (const TokenScore& token : text.tokens) {
    std::vector<float> next = TableNetwork::Next(before, last);
    next[TableTokenizer::kUnknown] = -INFINITY;
    const auto best = std::max_element(next.begin(), next.end());
    EXPECT_EQ(token.id, best - next.begin());
    EXPECT_EQ(token.log_probability, *best);
    EXPECT_EQ(token.top.size(), 3u);
    sum += static_cast<double>(*best);
    before = last;
    last = token.id;
  }
  EXPECT_DOUBLE_EQ(text.log_probability, sum);
  EXPECT_EQ(text.finish_reason, FinishReason::kLength);
}

TEST_F(CausalLanguageModelTest, ABeamOfAllFindsTheBestText) {
  GenerateRequest request = Prompt("w3", 3);
  request.options.beam_size = 32;
  request.options.n_best = 2;
  request.options.length_penalty = 0;
  request.options.stop_at_end = false;
  request.options.ban_unknown = false;
  double best = -1e9;
  for (int a = 0; a < 12; ++a) {
    for (int b = 0; b < 12; ++b) {
      for (int c = 0; c < 12; ++c) {
        best = std::max(best, static_cast<double>(TableNetwork::Next(-1, 3)[static_cast<size_t>(a)]) +
                                  static_cast<double>(TableNetwork::Next(3, a)[static_cast<size_t>(b)]) +
                                  static_cast<double>(TableNetwork::Next(a, b)[static_cast<size_t>(c)]));
      }
    }
  }
  const GenerateResult result = Generate(request)->result();
  ASSERT_EQ(result.texts.size(), 2u);
  EXPECT_NEAR(result.texts[0].log_probability, best, 1e-5);
  EXPECT_NEAR(result.texts[0].score, best, 1e-5);
  EXPECT_GE(result.texts[0].score, result.texts[1].score);
}

TEST_F(CausalLanguageModelTest, DrawsAreTheSameForTheSameSeed) {
  GenerateRequest request = Prompt("w1", 12);
  request.options.sample = true;
  request.options.n = 3;
  request.options.sampling.seed = 7;
  const GenerateResult first = Generate(request)->result(), second = Generate(request)->result();
  ASSERT_EQ(first.texts.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first.texts[i].text, second.texts[i].text);
    ScoreRequest score;
    score.context = "w1";
    score.text = first.texts[i].text;
    if (first.texts[i].finish_reason == FinishReason::kEos) score.text += " <end>";
    score.options.text.special_tokens = true;
    EXPECT_NEAR(Score(score)->result().log_probability, first.texts[i].log_probability, 1e-4);
  }
  EXPECT_NE(first.texts[0].text, first.texts[1].text);
}

TEST_F(CausalLanguageModelTest, AStopTextEndsTheText) {
  GenerateRequest request = Prompt("w1 w2", 30);
  request.options.stop_at_end = false;
  const std::string whole = Generate(request)->result().texts[0].text;
  EXPECT_EQ(whole[0], ' ');
  const std::string stop = whole.substr(9, 5);
  request.options.stop = {"never", stop};
  request.options.stream = true;
  auto task = model_.StartGenerate(request, StartLimits());
  ASSERT_TRUE(task.ok());
  std::string streamed;
  while (!(*task)->finished()) {
    Task* const tasks[] = {task->get()};
    model_.Step(tasks, context_);
    streamed += (*task)->TakeText();
  }
  const GeneratedText& text = (*task)->result().texts[0];
  EXPECT_EQ(text.text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(text.stop, stop);
  EXPECT_EQ(streamed, text.text);
}

TEST_F(CausalLanguageModelTest, AKeptStateHasReadPromptAndText) {
  for (const int beam_size : {1, 3}) {
    GenerateRequest request = Prompt("w1 w2", 6);
    request.options.beam_size = beam_size;
    request.options.stop_at_end = false;
    request.options.return_tokens = true;
    request.state = model_.NewState();
    request.keep_state = true;
    const auto task = Generate(request);
    ASSERT_NE(task->state(), nullptr);
    std::string expected = "1 2";
    for (const TokenScore& token : task->result().texts[0].tokens) expected += " " + std::to_string(token.id);
    EXPECT_EQ(task->state()->Serialize(), expected);
  }
}

TEST_F(CausalLanguageModelTest, APenaltyAndForbiddenRepetitionsCountThePrompt) {
  GenerateRequest request = Prompt("w1 w2 w3 w4 w5 w6 w7 w8 w9", 8);
  request.options.no_repeat_ngram = 1;
  request.options.stop_at_end = false;
  request.options.return_tokens = true;
  std::vector<int32_t> ids;
  for (const TokenScore& token : Generate(request)->result().texts[0].tokens) ids.push_back(token.id);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, (std::vector<int32_t>{0, TableTokenizer::kEnd}));  // then every token is forbidden
  request.options.no_repeat_ngram = 0;
  request.options.max_tokens = 1;
  request.options.repetition_penalty = 100;
  const int32_t first = Generate(request)->result().texts[0].tokens[0].id;
  EXPECT_TRUE(first == 0 || first == TableTokenizer::kEnd) << first;
}

TEST_F(CausalLanguageModelTest, LogProbabilitiesAreTheNetworksOwnWhateverThePenalty) {
  for (const int mode : {0, 1, 2}) {
    GenerateRequest request = Prompt("w1 w2 w1 w3", 10);
    request.options.repetition_penalty = 1.7f;
    request.options.beam_size = mode == 1 ? 4 : 1;
    request.options.sample = mode == 2;
    request.options.stop_at_end = false;
    request.options.return_tokens = true;
    const auto task = Generate(request);
    ScoreRequest score;
    for (const int32_t id : {1, 2, 1, 3}) score.tokens.push_back(id);
    for (const TokenScore& token : task->result().texts[0].tokens) score.tokens.push_back(token.id);
    score.options.return_tokens = true;
    const auto scored = Score(score);
    double expected = 0;
    for (size_t i = 0; i < 10; ++i) {
      const float token = *scored->result().token_scores[4 + i].log_probability;
      EXPECT_NEAR(*task->result().texts[0].tokens[i].log_probability, token, 1e-5f) << mode;
      expected += static_cast<double>(token);
    }
    EXPECT_NEAR(task->result().texts[0].log_probability, expected, 1e-4) << mode;
  }
}

TEST_F(CausalLanguageModelTest, ALeastLengthWithoutAnEndBansNothing) {
  GenerateRequest request = Prompt("w1 w2", 5);
  request.options.stop_at_end = false;
  const std::string expected = Generate(request)->result().texts[0].text;
  request.options.min_tokens = 5;
  EXPECT_EQ(Generate(request)->result().texts[0].text, expected);
}

TEST_F(CausalLanguageModelTest, AStreamAddsUpToTheTextWhereverItStops) {
  GenerateRequest request = Prompt("w4 w2", 40);
  request.options.stop_at_end = false;
  const std::string whole = Generate(request)->result().texts[0].text;
  request.options.stream = true;
  for (size_t at = 0; at + 7 < whole.size(); at += 3) {
    for (const size_t length : {1, 4, 7}) {
      request.options.stop = {whole.substr(at, length)};
      auto task = model_.StartGenerate(request, StartLimits());
      ASSERT_TRUE(task.ok());
      std::string streamed;
      while (!(*task)->finished()) {
        Task* const tasks[] = {task->get()};
        model_.Step(tasks, context_);
        streamed += (*task)->TakeText();
      }
      EXPECT_EQ(streamed, (*task)->result().texts[0].text);
      EXPECT_EQ(streamed, whole.substr(0, whole.find(request.options.stop[0])));
    }
  }
}

TEST_F(CausalLanguageModelTest, AttentionHasAColumnForEachTokenReadAndOneForAllBefore) {
  ScoreRequest request;
  request.context = "w1 ";
  request.text = "w2 w3";
  request.options.return_attention = true;
  const ScoreResult result = Score(request)->result();
  EXPECT_EQ(result.attention.rows, 2);
  EXPECT_EQ(result.attention.columns, 4);
  EXPECT_EQ(result.token_texts, (std::vector<std::string>{"w1", "w2", "w3"}));
  EXPECT_EQ(result.attention.weights, (std::vector<float>{0.25f, 0.75f, 0, 0, 0.25f, 0, 0.75f, 0}));
}

TEST_F(CausalLanguageModelTest, ARowDependsOnNoOther) {
  GenerateRequest one = Prompt("w1", 9), other = Prompt("w5 w6", 4);
  one.options.beam_size = 3;
  const std::string expected = Generate(one)->result().texts[0].text;
  auto first = model_.StartGenerate(one, {});
  auto second = model_.StartGenerate(other, {});
  ScoreRequest score;
  score.text = "w1 w2 w3";
  auto third = model_.StartScore(score, {});
  Advance(model_, {first->get(), second->get(), third->get()}, context_);
  EXPECT_EQ((*first)->result().texts[0].text, expected);
  EXPECT_EQ((*third)->result().log_probability, Score(score)->result().log_probability);
}

TEST_F(CausalLanguageModelTest, NamesWhatIsWrong) {
  ScoreRequest score;
  score.text = "a\xff";
  EXPECT_EQ(ScoreError(score).message(), "text: is not UTF-8 at byte 1 of 2");
  score.text = "";
  score.tokens = {1, 12};
  EXPECT_EQ(ScoreError(score).message(), "tokens.ids[1]: 12, must be 0 to 11");
  score.tokens = {1};
  score.options.top_k = 101;
  EXPECT_EQ(ScoreError(score).message(), "options.top_k: 101, must be 0 to 100");
  score.options.top_k = 0;
  score.options.segment_tokens = 8;
  EXPECT_EQ(ScoreError(score).message(),
            "options.segment_tokens: 8, but model 'table' gives the same scores wherever a text is cut");
  GenerateRequest generate = Prompt("w1", 5);
  generate.options.stop = {""};
  EXPECT_EQ(GenerateError(generate).message(), "options.stop[0]: is empty");
  generate.options.stop = {};
  generate.options.sample = true;
  generate.options.sampling.top_p = 0;
  EXPECT_EQ(GenerateError(generate).message(), "options.sampling.top_p: 0, must be greater than 0 and at most 1");
  FillInRequest fill;
  EXPECT_EQ(model_.StartFillIn(fill, {}).status().message(),
            "model 'table' cannot fill in gaps: its weights have no head for it; it can score and generate texts");
  generate.options.sampling.top_p = 1;
  generate.options.no_repeat_ngram = 129;
  EXPECT_EQ(GenerateError(generate).message(), "options.no_repeat_ngram: 129, must be 0 to 128");
  EXPECT_EQ(model_.OpenState(3).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CausalLanguageModelTest, PassesItsProbe) { EXPECT_TRUE(model_.Probe(context_).ok()); }

}  // namespace
}  // namespace heed
