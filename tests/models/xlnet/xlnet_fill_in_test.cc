// SPDX-License-Identifier: Apache-2.0
// Gaps of texts, and scores with all context, against Hugging Face transformers 4.57.1: tests/fixtures/make_xlnet.py.
#include "models/xlnet_tasks/xlnet_fill_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "models/kinds/probe.h"
#include "models/xlnet_tasks/xlnet.h"
#include "tests/models/xlnet/xlnet_fixture.h"

namespace heed {
namespace {

using testing::HasSubstr;

constexpr char kGapText[] = "the cat ?? on the mat and ?? house.";

class XlnetGaps : public testing::TestWithParam<const char*> {
 protected:
  XlnetGaps() {
    auto model = LoadXlnet(XlnetFixturePath(GetParam()), GetParam());
    EXPECT_TRUE(model.ok()) << model.status();
    model_ = *model;
    tokenizer_ = *LoadXlnetTokenizer(XlnetFixturePath(GetParam()), fixture_.config.vocabulary);
    request_.text = kGapText;
    request_.gaps = {{.start = 8, .end = 10}, {.start = 26, .end = 28, .pieces = 2}};
    request_.return_attention = true;
  }

  FillInResult Fill() {
    auto task = model_->StartFillIn(request_, {});
    EXPECT_TRUE(task.ok()) << task.status();
    Context context(2);
    const absl::Status status = RunToEnd(*model_, **task, context);
    EXPECT_TRUE(status.ok()) << status;
    return (*task)->result();
  }
  std::vector<std::string> Pieces(const json& ids) const {
    std::vector<std::string> pieces;
    for (const json& id : ids) pieces.push_back(tokenizer_->Piece(id.get<int32_t>()));
    return pieces;
  }
  void ExpectSums(const FillInResult& result) {
    const TextAttention& attention = result.attention;
    EXPECT_EQ(attention.columns, 1 + static_cast<int64_t>(result.token_texts.size()));
    ASSERT_EQ(attention.weights.size(), static_cast<size_t>(attention.rows * attention.columns));
    for (int64_t row = 0; row < attention.rows; ++row) {
      double sum = 0;
      for (int64_t i = 0; i < attention.columns; ++i) {
        sum += attention.weights[static_cast<size_t>(row * attention.columns + i)];
      }
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  }

  XlnetFixture fixture_{GetParam()};
  json expected_ = fixture_.Cases("fill").at(0);
  std::shared_ptr<const LanguageModel> model_;
  std::unique_ptr<const XlnetTokenizer> tokenizer_;
  FillInRequest request_;
};

TEST_P(XlnetGaps, FilledAtOnce) {
  const FillInResult result = Fill();
  for (size_t g = 0; g < 2; ++g) {
    ASSERT_EQ(result.gaps[g].size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(result.gaps[g][i].log_probability, expected_["at_once"][g][i][1].get<float>(), kParity);
      EXPECT_EQ(result.gaps[g][i].tokens, Pieces(expected_["at_once"][g][i][0])) << g << ' ' << i;
    }
  }
  EXPECT_EQ(result.filled_text,
            "the cat " + result.gaps[0][0].text + " on the mat and " + result.gaps[1][0].text + " house.");
  EXPECT_NEAR(result.log_probability, result.gaps[0][0].log_probability + result.gaps[1][0].log_probability, 1e-5);
  ExpectSums(result);
}

TEST_P(XlnetGaps, FilledOneAfterTheOther) {
  for (const auto& [order, name] : {std::pair{FillOrder::kLeftToRight, "left_to_right"},
                                    std::pair{FillOrder::kMostCertainFirst, "most_certain_first"}}) {
    request_.order = order;
    const FillInResult result = Fill();
    for (size_t g = 0; g < 2; ++g) {
      EXPECT_EQ(result.gaps[g][0].tokens, Pieces(expected_[name][g][0])) << name;
      EXPECT_NEAR(result.gaps[g][0].log_probability, expected_[name][g][1].get<float>(), kParity) << name;
    }
    ExpectSums(result);
  }
}

TEST_P(XlnetGaps, CandidatesOfSeveralPieces) {
  const std::vector<std::string> candidates = {"sat", "saw two", "was"};
  request_.gaps[0].candidates = candidates;
  request_.gaps[1].pieces = 1;
  for (const FillOrder order : {FillOrder::kAtOnce, FillOrder::kLeftToRight}) {
    request_.order = order;
    const FillInResult result = Fill();
    ASSERT_EQ(result.gaps[0].size(), 3u);
    for (const GapFilling& filling : result.gaps[0]) {
      const auto at = std::find(candidates.begin(), candidates.end(), filling.text);
      ASSERT_NE(at, candidates.end()) << filling.text;
      EXPECT_NEAR(filling.log_probability,
                  expected_["candidates"][static_cast<size_t>(at - candidates.begin())].get<float>(), kParity);
    }
    EXPECT_GE(result.gaps[0][0].log_probability, result.gaps[0][1].log_probability);
    ExpectSums(result);
  }
}

// The second gap is filled as it would be in the text with the first one's filling, if that had been one of the gaps.
TEST_P(XlnetGaps, AfterACandidateOfAnotherLengthAllIsReadAgain) {
  request_.gaps[0].candidates = {"saw two birds"};
  request_.gaps[1].candidates = {"old", "the old tree"};
  request_.order = FillOrder::kLeftToRight;
  const FillInResult both = Fill();
  request_.order = FillOrder::kMostCertainFirst;
  const FillInResult certain = Fill();
  EXPECT_EQ(both.gaps[0][0].text, "saw two birds");
  EXPECT_TRUE(std::isfinite(certain.log_probability));
  ExpectSums(both);
  ExpectSums(certain);
}

TEST_P(XlnetGaps, TheSameAloneAndBesideOthers) {
  auto other = request_;
  other.text = "two birds ?? a dog near the old house while rain fell";
  other.gaps = {{.start = 10, .end = 12, .pieces = 3}};
  for (const FillOrder order : {FillOrder::kAtOnce, FillOrder::kLeftToRight, FillOrder::kMostCertainFirst}) {
    request_.order = other.order = order;
    const FillInResult alone = Fill();
    auto first = model_->StartFillIn(request_, {}), second = model_->StartFillIn(other, {});
    ASSERT_TRUE(first.ok() && second.ok()) << second.status();
    Context context(1);
    while (!(*first)->finished() || !(*second)->finished()) {
      std::vector<Task*> tasks;
      for (Task* task : {static_cast<Task*>(second->get()), static_cast<Task*>(first->get())}) {
        if (!task->finished()) tasks.push_back(task);
      }
      model_->Step(tasks, context);
    }
    const FillInResult& merged = (*first)->result();
    EXPECT_EQ(merged.log_probability, alone.log_probability);
    EXPECT_EQ(merged.filled_text, alone.filled_text);
    EXPECT_EQ(merged.attention.weights, alone.attention.weights);
  }
}

TEST_P(XlnetGaps, AllContextScoresAgree) {
  const json expected = fixture_.Cases("all_context").at(0);
  ScoreRequest request;
  request.context = expected["context"];
  request.text = expected["text"];
  request.options.order = ScoreOrder::kAllContext;
  request.options.return_tokens = true;
  request.options.return_attention = true;
  auto task = model_->StartScore(request, {});
  ASSERT_TRUE(task.ok()) << task.status();
  Context context(2);
  ASSERT_TRUE(RunToEnd(*model_, **task, context).ok());
  const ScoreResult& result = (*task)->result();
  const json& logs = expected["log_probabilities"];
  // The blank between the two, a token by itself, is of the context.
  const size_t count = result.token_scores.size();
  ASSERT_EQ(count, logs.size() - 1);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_NEAR(*result.token_scores[i].log_probability, logs[i + 1].get<float>(), kParity);
    const size_t columns = static_cast<size_t>(result.attention.columns);
    const size_t own = columns - count + i;
    EXPECT_EQ(result.attention.weights[i * columns + own], 0);
  }
}

TEST_P(XlnetGaps, WrongGapsAreNamed) {
  const auto error = [&] { return model_->StartFillIn(request_, {}).status().ToString(); };
  request_.gaps[1].start = 9;
  EXPECT_THAT(error(), HasSubstr("gaps[1]: 9 to 28, must be within 10 to 35"));
  request_.gaps.resize(1);
  request_.gaps[0].pieces = 17;
  EXPECT_THAT(error(), HasSubstr("gaps[0].pieces: 17, must be 1 to 16"));
  request_.gaps[0] = {.start = 8, .end = 10, .candidates = {"sat", ""}};
  EXPECT_THAT(error(), HasSubstr("gaps[0].candidates[1]"));
  request_.gaps[0] = {.start = 0, .end = 35};
  EXPECT_THAT(error(), HasSubstr("nothing but gaps"));
  request_.gaps.clear();
  EXPECT_THAT(error(), HasSubstr("gaps: are none"));
  request_.text = "the c\u00e4t";
  request_.gaps = {{.start = 6, .end = 7}};
  EXPECT_THAT(error(), HasSubstr("cuts a character in two"));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlnetGaps,
                         testing::Values("xlnet-lm", "xlnet-lm-relu-clamp", "xlnet-lm-memory", "xlnet-lm-untied"));

}  // namespace
}  // namespace heed
