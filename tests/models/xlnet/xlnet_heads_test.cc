// SPDX-License-Identifier: Apache-2.0
// The heads, and the model's tasks on texts, against Hugging Face transformers 4.57.1: tests/fixtures/make_xlnet.py.
#include "models/xlnet_tasks/xlnet_heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "models/kinds/probe.h"
#include "models/xlnet_tasks/xlnet.h"
#include "tests/models/xlnet/xlnet_fixture.h"

namespace heed {
namespace {

using testing::HasSubstr;

std::shared_ptr<const LanguageModel> Load(const std::string& name) {
  auto model = LoadXlnet(XlnetFixturePath(name), name);
  EXPECT_TRUE(model.ok()) << model.status();
  return *model;
}

// Runs one task to its end, by itself.
template <typename Started>
auto ResultOf(const LanguageModel& model, Started started) {
  EXPECT_TRUE(started.ok()) << started.status();
  Context context(2);
  const absl::Status status = RunToEnd(model, **started, context);
  EXPECT_TRUE(status.ok()) << status;
  return (*started)->result();
}

std::unique_ptr<const XlnetHeads> HeadsOf(const std::string& name, const XlnetConfig& config) {
  auto checkpoint = Checkpoint::Open(XlnetFixturePath(name));
  auto heads = XlnetHeads::Load(WeightReader(*checkpoint), config);
  EXPECT_TRUE(heads.ok()) << heads.status();
  return std::move(*heads);
}

class XlnetClassifiers : public testing::TestWithParam<const char*> {};

TEST_P(XlnetClassifiers, LogitsAgree) {
  const XlnetFixture fixture(GetParam());
  const auto model = Load(GetParam());
  ASSERT_TRUE(model->uses().classify);
  EXPECT_FALSE(model->uses().score);
  int compared = 0;
  for (const json& expected : fixture.Cases("text")) {
    TextClassificationRequest request;
    request.text = expected["text"];
    request.pair = expected["pair"];
    request.top = 0;
    request.function = LabelFunction::kNone;
    const TextClassification result = ResultOf(*model, model->StartClassify(request, {}));
    EXPECT_EQ(result.tokens, static_cast<int64_t>(expected["ids"].size()));
    ASSERT_EQ(result.labels.size(), expected["logits"].size());
    for (const TextLabel& label : result.labels) {
      const auto at = std::find(fixture.config.labels.begin(), fixture.config.labels.end(), label.label);
      const json& logit = expected["logits"][static_cast<size_t>(at - fixture.config.labels.begin())];
      EXPECT_NEAR(label.score, logit.get<float>(), kParity) << label.label;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

TEST_P(XlnetClassifiers, ScoresAreOfTheProblem) {
  const XlnetFixture fixture(GetParam());
  const auto model = Load(GetParam());
  TextClassificationRequest request;
  request.text = "the cat sat on the mat.";
  request.top = 0;
  request.function = LabelFunction::kNone;
  const TextClassification raw = ResultOf(*model, model->StartClassify(request, {}));
  request.function = LabelFunction::kModel;
  const TextClassification result = ResultOf(*model, model->StartClassify(request, {}));
  double sum = 0;
  for (const TextLabel& label : raw.labels) sum += std::exp(static_cast<double>(label.score));
  for (size_t i = 0; i < raw.labels.size(); ++i) {
    const double logit = static_cast<double>(raw.labels[i].score);
    double score = std::exp(logit) / sum;
    if (fixture.config.labels.size() == 1 || fixture.config.problem == XlnetProblem::kMultiLabel) {
      score = 1 / (1 + std::exp(-logit));
    }
    if (fixture.config.problem == XlnetProblem::kRegression) score = logit;
    EXPECT_NEAR(result.labels[i].score, score, 1e-6);
    EXPECT_EQ(result.labels[i].label, raw.labels[i].label);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlnetClassifiers,
                         testing::Values("xlnet-classify", "xlnet-classify-regression", "xlnet-classify-one",
                                         "xlnet-classify-multi", "xlnet-classify-labels"));

TEST(XlnetTasks, ChoicesAreCompared) {
  const XlnetFixture fixture("xlnet-choice");
  const auto model = Load("xlnet-choice");
  EXPECT_TRUE(model->uses().choose);
  EXPECT_FALSE(model->uses().classify);
  for (const json& expected : fixture.Cases("text")) {
    TextClassificationRequest request;
    request.text = expected["text"];
    request.choices = expected["choices"].get<std::vector<std::string>>();
    request.top = 0;
    const TextClassification result = ResultOf(*model, model->StartClassify(request, {}));
    ASSERT_EQ(result.labels.size(), 3u);
    for (const TextLabel& label : result.labels) {
      EXPECT_NEAR(label.score, expected["scores"][std::stoul(label.label)].get<float>(), kParity);
    }
  }
  TextClassificationRequest request;
  request.text = "the cat";
  EXPECT_THAT(model->StartClassify(request, {}).status().ToString(), HasSubstr("choices: are none"));
}

TEST(XlnetTasks, WordsHaveTheLabelOfTheirFirstToken) {
  const XlnetFixture fixture("xlnet-tag");
  const auto model = Load("xlnet-tag");
  for (const json& expected : fixture.Cases("text")) {
    TagRequest request;
    request.text = expected["text"];
    request.return_attention = true;
    const TagResult result = ResultOf(*model, model->StartTag(request, {}));
    ASSERT_EQ(result.token_texts.size(), expected["ids"].size());
    size_t token = 0;
    for (const TaggedWord& word : result.words) {
      EXPECT_EQ(request.text.substr(static_cast<size_t>(word.start), static_cast<size_t>(word.end - word.start)),
                word.word);
      while (token < result.token_texts.size() && result.token_texts[token].rfind("\u2581", 0) != 0) ++token;
      const json& row = expected["probabilities"][token++];
      const auto best = std::max_element(row.begin(), row.end());
      EXPECT_EQ(word.label, fixture.config.labels[static_cast<size_t>(best - row.begin())]);
      EXPECT_NEAR(word.score, best->get<float>(), kParity);
    }
    EXPECT_EQ(result.attention.rows, static_cast<int64_t>(expected["ids"].size()));
  }
}

TEST(XlnetTasks, TaggingInWindowsTagsEveryWordOnce) {
  const auto model = Load("xlnet-tag");
  TagRequest request;
  for (int i = 0; i < 40; ++i) request.text += "the old cat sat. ";
  request.max_tokens = 30;
  EXPECT_THAT(model->StartTag(request, {}).status().ToString(), HasSubstr("at most 30"));
  request.overlong = Overlong::kWindows;
  const TagResult result = ResultOf(*model, model->StartTag(request, {}));
  ASSERT_EQ(result.words.size(), 160u);
  for (const TaggedWord& word : result.words) EXPECT_FALSE(word.label.empty()) << word.start;
  request.overlong = Overlong::kTruncate;
  EXPECT_LT(ResultOf(*model, model->StartTag(request, {})).words.size(), 30u);
}

TEST(XlnetTasks, AnswersAreSpansOfTheContext) {
  const XlnetFixture fixture("xlnet-answer");
  const auto model = Load("xlnet-answer");
  const auto tokenizer = LoadXlnetTokenizer(XlnetFixturePath("xlnet-answer"), fixture.config.vocabulary);
  int compared = 0;
  for (const json& expected : fixture.Cases("answer")) {
    AnswerFromTextRequest request;
    request.context = expected["context"];
    request.question = expected["question"];
    request.top = 5;
    request.max_tokens = expected["max_tokens"];
    request.max_answer_tokens = expected["max_answer_tokens"];
    request.return_attention = true;
    const AnswerFromTextResult result = ResultOf(*model, model->StartAnswer(request, {}));
    const std::vector<TextToken> tokens = *(*tokenizer)->Encode(request.context, {});
    ASSERT_EQ(result.answers.size(), 5u);
    for (size_t i = 0; i < 5; ++i, ++compared) {
      const json& answer = expected["answers"][i];
      EXPECT_NEAR(result.answers[i].score, answer["score"].get<float>(), 1e-5);
      int64_t start = tokens[answer["start"].get<size_t>()].start;
      while (request.context[static_cast<size_t>(start)] == ' ') ++start;  // a piece has the blank before its word
      EXPECT_EQ(result.answers[i].start, start);
      EXPECT_EQ(result.answers[i].end, tokens[answer["end"].get<size_t>()].end);
      EXPECT_EQ(result.answers[i].text,
                request.context.substr(static_cast<size_t>(result.answers[i].start),
                                       static_cast<size_t>(result.answers[i].end - result.answers[i].start)));
    }
    EXPECT_NEAR(*result.no_answer_score, expected["no_answer"].get<float>(), 1e-5);
    EXPECT_EQ(result.attention.columns, 1 + static_cast<int64_t>(result.token_texts.size()));
  }
  EXPECT_GT(compared, 0);
}

TEST(XlnetTasks, BeamsOfStartsAndEndsAgree) {
  const XlnetFixture fixture("xlnet-answer-beam");
  const auto heads = HeadsOf("xlnet-answer-beam", fixture.config);
  ASSERT_TRUE(heads->has_beams());
  Context context(2);
  for (const json& expected : fixture.Cases("head")) {
    std::vector<KeyRange> sights;
    sights.reserve(100);
    const std::vector<int32_t> ids = IdsOf(expected["ids"]);
    XlnetPass pass = EncodingOf(fixture.config, ids, expected["types"].get<std::vector<int>>(), sights);
    Arena::Scope scope(context.arena);
    const MatrixView hidden = fixture.network->Run({&pass, 1}, fixture.config.layers, context);
    std::vector<bool> allowed(ids.size());
    std::fill_n(allowed.begin(), expected["context"].get<size_t>(), true);
    allowed.back() = true;
    float no_answer = 0;
    const std::vector<XlnetSpan> spans = heads->BeamSpans(hidden, allowed, no_answer, context);
    EXPECT_NEAR(no_answer, expected["no_answer"].get<float>(), kParity);
    ASSERT_EQ(spans.size(), 12u);
    for (size_t s = 0, i = 0; s < 3; ++s) {
      for (size_t e = 0; e < 4; ++e, ++i) {
        EXPECT_EQ(spans[i].start, expected["start_places"][s].get<int64_t>());
        EXPECT_EQ(spans[i].end, expected["end_places"][s][e].get<int64_t>());
        const double p =
            expected["start_probabilities"][s].get<double>() * expected["end_probabilities"][s][e].get<double>();
        EXPECT_NEAR(std::exp(static_cast<double>(spans[i].log_probability)), p, 1e-5);
      }
    }
  }
  const auto model = Load("xlnet-answer-beam");
  AnswerFromTextRequest request;
  request.context = "the old cat saw two birds near the house.";
  request.question = "where was the cat";
  const AnswerFromTextResult result = ResultOf(*model, model->StartAnswer(request, {}));
  for (const TextSpan& answer : result.answers) {
    EXPECT_EQ(answer.text, request.context.substr(static_cast<size_t>(answer.start),
                                                  static_cast<size_t>(answer.end - answer.start)));
  }
}

TEST(XlnetTasks, EmbeddingsAreHiddenStates) {
  const XlnetFixture fixture("xlnet-plain");
  const auto model = Load("xlnet-plain");
  EXPECT_FALSE(model->uses().fill_in);
  for (const json& expected : fixture.Cases("text")) {
    EmbedRequest request;
    request.text = expected["text"];
    request.pooling = Pooling::kTokens;
    const EmbedResult tokens = ResultOf(*model, model->StartEmbed(request, {}));
    const json& hidden = expected["hidden"];
    ASSERT_EQ(tokens.tokens.size(), hidden.size());
    ASSERT_EQ(tokens.values.size(), hidden.size() * 16);
    std::vector<double> mean(16);
    for (size_t i = 0; i < hidden.size(); ++i) {
      for (size_t j = 0; j < 16; ++j) {
        EXPECT_NEAR(tokens.values[16 * i + j], hidden[i][j].get<float>(), kParity);
        mean[j] += hidden[i][j].get<double>() / static_cast<double>(hidden.size());
      }
    }
    request.pooling = Pooling::kLast;
    const EmbedResult last = ResultOf(*model, model->StartEmbed(request, {}));
    request.pooling = Pooling::kMean;
    request.normalize = true;
    const EmbedResult averaged = ResultOf(*model, model->StartEmbed(request, {}));
    double length = 0;
    for (const double value : mean) length += value * value;
    for (size_t j = 0; j < 16; ++j) {
      EXPECT_NEAR(last.values[j], hidden.back()[j].get<float>(), kParity);
      EXPECT_NEAR(averaged.values[j], mean[j] / std::sqrt(length), kParity);
    }
    request.pooling = Pooling::kSummary;
    EXPECT_THAT(model->StartEmbed(request, {}).status().ToString(), HasSubstr("pooling: SUMMARY"));
  }
}

TEST(XlnetTasks, EveryFixtureHasAProbe) {
  Context context(2);
  for (const char* name :
       {"xlnet-lm", "xlnet-lm-memory", "xlnet-lm-reuse", "xlnet-lm-uni", "xlnet-lm-untied", "xlnet-classify",
        "xlnet-choice", "xlnet-tag", "xlnet-answer", "xlnet-answer-beam", "xlnet-plain", "xlnet-lm-uni-same"}) {
    const absl::Status status = Load(name)->Probe(context);
    EXPECT_TRUE(status.ok()) << name << ": " << status;
  }
}

TEST(XlnetTasks, AModelRefusesWhatItHasNoHeadFor) {
  const auto model = Load("xlnet-tag");
  TextClassificationRequest classify;
  classify.text = "the cat";
  const absl::Status status = model->StartClassify(classify, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(status.ToString(), HasSubstr("it can tag words, embed texts"));
  EXPECT_EQ(model->StartFillIn({}, {}).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(model->StartScore({}, {}).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace heed
