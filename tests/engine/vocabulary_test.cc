// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/kernels/instruction_set.h"
#include "engine/linear/vocabulary_projection.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

class Vocabulary : public testing::TestWithParam<std::pair<int64_t, Precision>> {
 protected:
  static constexpr int64_t kWidth = 24;

  Vocabulary() : weight_(naive::RandomFloats(size() * kWidth, 1)), bias_(naive::RandomFloats(size(), 2)) {
    tensor_.shape = {size(), kWidth};
    tensor_.data = reinterpret_cast<const std::byte*>(weight_.data());
    tensor_.bytes = weight_.size() * sizeof(float);
    projection_ = VocabularyProjection(tensor_, bias_, GetParam().second);
  }
  static int64_t size() { return GetParam().first; }
  // Of a logit that is only screened; the best ones' are exact in every precision.
  static double tolerance() { return GetParam().second == Precision::kF32 ? 1e-5 : 0.06; }

  std::vector<float> weight_, bias_;
  StoredTensor tensor_;
  VocabularyProjection projection_;
};

TEST_P(Vocabulary, FindsTheBestAndTheNormalizer) {
  const int64_t rows = 5;
  const Matrix hidden = naive::RandomMatrix(rows, kWidth, 3);
  const std::vector<double> logits = naive::Linear(hidden.view(), weight_, bias_);
  const std::vector<int32_t> banned = {0, static_cast<int32_t>(size() / 2), static_cast<int32_t>(size() - 1)};
  for (bool over_banned : {false, true}) {
    std::vector<VocabularyQuery> queries(rows);
    std::vector<VocabularyAnswer> answers(rows);
    for (VocabularyQuery& query : queries) {
      query.banned = banned;
      query.top = 8;
      query.normalize_over_banned = over_banned;
    }
    Context context{2};
    projection_.Apply(hidden.view(), queries, absl::MakeSpan(answers), context);
    for (int64_t m = 0; m < rows; ++m) {
      std::vector<std::pair<double, int32_t>> allowed;
      double sum = 0;
      for (int64_t n = 0; n < size(); ++n) {
        const double logit = logits[static_cast<size_t>(m * size() + n)];
        const bool is_banned = std::count(banned.begin(), banned.end(), n) > 0;
        if (!is_banned) allowed.push_back({-logit, static_cast<int32_t>(n)});
        if (!is_banned || over_banned) sum += std::exp(logit);
      }
      std::sort(allowed.begin(), allowed.end());
      const VocabularyAnswer& answer = answers[static_cast<size_t>(m)];
      EXPECT_NEAR(answer.log_normalizer, std::log(sum), tolerance() / 2);
      ASSERT_EQ(answer.best.size(), std::min<size_t>(8, allowed.size()));
      for (size_t i = 0; i < answer.best.size(); ++i) {
        EXPECT_EQ(answer.best[i].id, allowed[i].second);
        EXPECT_NEAR(answer.best[i].logit, -allowed[i].first, 1e-5);
      }
    }
  }
}

TEST_P(Vocabulary, AnAnswersBitsDoNotDependOnTheRowsBesideIt) {
  const Matrix hidden = naive::RandomMatrix(70, kWidth, 4);
  std::vector<VocabularyQuery> queries(70);
  for (size_t i = 0; i < queries.size(); ++i) queries[i].top = 1 + static_cast<int>(i % 9);
  std::vector<VocabularyAnswer> all(70), alone(1);
  Context team{2}, single{1};
  projection_.Apply(hidden.view(), queries, absl::MakeSpan(all), team);
  for (int64_t m = 0; m < 70; ++m) {
    projection_.Apply(hidden.view().Rows(m, 1), {&queries[static_cast<size_t>(m)], 1}, absl::MakeSpan(alone), single);
    EXPECT_EQ(alone[0].log_normalizer, all[static_cast<size_t>(m)].log_normalizer);
    ASSERT_EQ(alone[0].best.size(), all[static_cast<size_t>(m)].best.size());
    for (size_t i = 0; i < alone[0].best.size(); ++i) {
      EXPECT_EQ(alone[0].best[i].id, all[static_cast<size_t>(m)].best[i].id);
      EXPECT_EQ(alone[0].best[i].logit, all[static_cast<size_t>(m)].best[i].logit);
    }
  }
}

TEST_P(Vocabulary, WithoutANormalizerTheBestAreTheSame) {
  const Matrix hidden = naive::RandomMatrix(3, kWidth, 4);
  const std::vector<int32_t> banned = {0, 5};
  std::vector<VocabularyQuery> queries(3);
  std::vector<VocabularyAnswer> with(3), without(3);
  for (size_t i = 0; i < queries.size(); ++i) {
    queries[i].top = 1 + 3 * static_cast<int>(i);
    queries[i].banned = banned;
    queries[i].normalize_over_banned = true;
  }
  Context context{2};
  projection_.Apply(hidden.view(), queries, absl::MakeSpan(with), context);
  for (VocabularyQuery& query : queries) query.normalizer = false;
  projection_.Apply(hidden.view(), queries, absl::MakeSpan(without), context);
  for (size_t m = 0; m < queries.size(); ++m) {
    EXPECT_EQ(without[m].log_normalizer, 0);
    ASSERT_EQ(without[m].best.size(), with[m].best.size());
    for (size_t i = 0; i < with[m].best.size(); ++i) {
      EXPECT_EQ(without[m].best[i].id, with[m].best[i].id);
      EXPECT_EQ(without[m].best[i].logit, with[m].best[i].logit);
    }
  }
}

TEST_P(Vocabulary, DamagedWeightsShowInTheNormalizer) {
  Matrix hidden = naive::RandomMatrix(2, kWidth, 4);
  hidden.view().row(1)[3] = std::nanf("");
  for (const bool normalizer : {true, false}) {
    std::vector<VocabularyQuery> queries(2);
    for (VocabularyQuery& query : queries) query.normalizer = normalizer;
    std::vector<VocabularyAnswer> answers(2);
    Context context{2};
    projection_.Apply(hidden.view(), queries, absl::MakeSpan(answers), context);
    EXPECT_TRUE(std::isfinite(answers[0].log_normalizer));
    EXPECT_TRUE(std::isnan(answers[1].log_normalizer));
  }
}

TEST_P(Vocabulary, WritesAllLogitsOnRequest) {
  const Matrix hidden = naive::RandomMatrix(1, kWidth, 3);
  std::vector<float> logits(static_cast<size_t>(size()));
  const std::vector<int32_t> banned = {0};
  VocabularyQuery query;
  query.banned = banned;
  query.all_logits = logits.data();
  VocabularyAnswer answer;
  Context context{2};
  projection_.Apply(hidden.view(), {&query, 1}, {&answer, 1}, context);
  EXPECT_EQ(logits[0], -std::numeric_limits<float>::infinity());
  const std::vector<double> expected = naive::Linear(hidden.view(), weight_, bias_);
  for (size_t n = 1; n < logits.size(); ++n) EXPECT_NEAR(logits[n], expected[n], tolerance());
}

TEST_P(Vocabulary, GivesATargetItsLogitAndItsPlace) {
  const Matrix hidden = naive::RandomMatrix(2, kWidth, 3);
  std::vector<float> logits[2];
  std::vector<VocabularyQuery> queries(2);
  const std::vector<int32_t> banned = {1, 3};
  for (size_t m = 0; m < 2; ++m) {
    logits[m].resize(static_cast<size_t>(size()));
    queries[m].all_logits = logits[m].data();
    queries[m].target = static_cast<int32_t>(m == 0 ? 0 : size() - 1);
  }
  queries[1].banned = banned;
  std::vector<VocabularyAnswer> answers(2);
  Context context{2};
  projection_.Apply(hidden.view(), queries, absl::MakeSpan(answers), context);
  for (size_t m = 0; m < 2; ++m) {
    const float target = logits[m][static_cast<size_t>(queries[m].target)];
    EXPECT_EQ(answers[m].target_logit, target);
    const auto above = [&](double bound) {
      return std::count_if(logits[m].begin(), logits[m].end(), [&](float logit) { return logit > bound; });
    };
    // Screened, a token is likelier if it is so by screened logits.
    const double doubt = GetParam().second == Precision::kF32 ? 0 : 2 * tolerance();
    EXPECT_GE(answers[m].likelier_than_target, above(target + doubt));
    EXPECT_LE(answers[m].likelier_than_target, above(target - doubt));
  }
}

TEST_P(Vocabulary, GivesWantedTokensTheirExactLogits) {
  const Matrix hidden = naive::RandomMatrix(3, kWidth, 3);
  const std::vector<double> expected = naive::Linear(hidden.view(), weight_, bias_);
  const std::vector<int32_t> banned = {2}, wanted = {static_cast<int32_t>(size() - 1), 2, 0, 2};
  std::vector<VocabularyQuery> queries(3);
  for (size_t m = 0; m < 2; ++m) {
    queries[m].banned = banned;
    queries[m].top = m == 0 ? 1 : 5;
    queries[m].normalizer = m == 1;
    queries[m].wanted = wanted;
  }
  std::vector<VocabularyAnswer> answers(3), plain(3);
  Context context{2};
  projection_.Apply(hidden.view(), queries, absl::MakeSpan(answers), context);
  for (VocabularyQuery& query : queries) query.wanted = {};
  projection_.Apply(hidden.view(), queries, absl::MakeSpan(plain), context);
  for (size_t m = 0; m < 3; ++m) {
    EXPECT_EQ(answers[m].log_normalizer, plain[m].log_normalizer);
    ASSERT_EQ(answers[m].best.size(), plain[m].best.size());
    ASSERT_EQ(answers[m].wanted_logits.size(), m < 2 ? wanted.size() : 0);
    for (size_t i = 0; i < answers[m].wanted_logits.size(); ++i) {
      const auto of_row = static_cast<size_t>(size()) * m;
      EXPECT_NEAR(answers[m].wanted_logits[i], expected[of_row + static_cast<size_t>(wanted[i])], 1e-5);
      for (const Candidate& candidate : answers[m].best) {
        if (candidate.id != wanted[i]) continue;
        EXPECT_EQ(candidate.logit, answers[m].wanted_logits[i]);
      }
    }
  }
}

TEST_P(Vocabulary, GivesBackItsRowsAsEmbeddings) {
  std::vector<float> row(kWidth);
  for (int64_t n = 0; n < size(); n += 7) {
    projection_.CopyRow(n, row.data());
    EXPECT_TRUE(std::equal(row.begin(), row.end(), weight_.begin() + n * kWidth));
  }
}

std::vector<std::pair<int64_t, Precision>> VocabularyCases() {
  std::vector<std::pair<int64_t, Precision>> cases;
  for (const int64_t size : {9, 16, 101, 256, 257, 1000, 3001}) {
    for (const Precision precision : {Precision::kF32, Precision::kInt8}) cases.emplace_back(size, precision);
    if (PrecisionHere(Precision::kBf16) == Precision::kBf16) cases.emplace_back(size, Precision::kBf16);
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Sizes, Vocabulary, testing::ValuesIn(VocabularyCases()), [](const auto& parameter) {
  return std::to_string(parameter.param.first) + "_" + std::string(PrecisionName(parameter.param.second));
});

// A probability is at most 1: the normalizer has the exact terms of the best tokens and of the target.
TEST(ScreenedVocabulary, NoTokenIsLikelierThanAllTogether) {
  const std::vector<float> weight = naive::RandomFloats(500 * 40, 1);
  StoredTensor tensor;
  tensor.shape = {500, 40};
  tensor.data = reinterpret_cast<const std::byte*>(weight.data());
  tensor.bytes = weight.size() * sizeof(float);
  const VocabularyProjection projection(tensor, {}, Precision::kInt8);
  Matrix hidden = naive::RandomMatrix(20, 40, 2);
  for (int64_t m = 0; m < 20; ++m) {
    for (int64_t k = 0; k < 40; ++k) hidden.row(m)[k] *= 30;  // one token takes nearly all
  }
  std::vector<VocabularyQuery> queries(20);
  for (size_t m = 0; m < 20; ++m) queries[m].target = static_cast<int32_t>(m);
  std::vector<VocabularyAnswer> answers(20);
  Context context{1};
  projection.Apply(hidden.view(), queries, absl::MakeSpan(answers), context);
  for (const VocabularyAnswer& answer : answers) {
    EXPECT_LE(answer.best[0].logit - answer.log_normalizer, 1e-5);
    EXPECT_LE(answer.target_logit - answer.log_normalizer, 1e-5);
  }
}

// Rows that ask for nothing but their best token are screened in f32, too, where 8 bits are fast: the answer is the one
// that the whole product gives, to the bit, however close the tokens are.
TEST(ScreenedVocabulary, TheBestInF32IsTheBestOfTheWholeProduct) {
  if (UsedInstructionSet() < InstructionSet::kAvx512Vnni) {
    GTEST_SKIP() << "this machine has no AVX-512 VNNI: nothing is screened in f32";
  }
  constexpr int64_t kSize = 3000, kInputs = 72, kCount = 60;
  std::vector<float> weight = naive::RandomFloats(kSize * kInputs, 1);
  for (int64_t n = 1000; n < 1040; ++n) {  // the same token 40 times, once a little better
    std::copy_n(weight.begin() + 999 * kInputs, kInputs, weight.begin() + n * kInputs);
  }
  for (int64_t k = 0; k < kInputs; ++k) weight[static_cast<size_t>(1027 * kInputs + k)] *= 1.0001f;
  std::vector<float> bias = naive::RandomFloats(kSize, 2);
  std::fill(bias.begin() + 999, bias.begin() + 1040, 0.5f);
  StoredTensor tensor;
  tensor.shape = {kSize, kInputs};
  tensor.data = reinterpret_cast<const std::byte*>(weight.data());
  tensor.bytes = weight.size() * sizeof(float);
  const VocabularyProjection projection(tensor, bias);
  Matrix hidden = naive::RandomMatrix(kCount, kInputs, 3);
  for (int64_t m = 0; m < kCount; m += 3) {  // rows whose best is among the 40
    for (int64_t k = 0; k < kInputs; ++k) hidden.row(m)[k] = 0.3f * weight[static_cast<size_t>(999 * kInputs + k)];
    hidden.row(m)[m] += 0.01f;
  }
  hidden.row(58)[5] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<int32_t> banned = {999, 1000, 1027};
  std::vector<VocabularyQuery> whole(kCount), bare(kCount);
  for (size_t m = 0; m < kCount; ++m) {
    if (m % 2 == 1) whole[m].banned = bare[m].banned = banned;
    bare[m].normalizer = m % 5 == 4;  // rows of both kinds beside each other
  }
  std::vector<VocabularyAnswer> expected(kCount), got(kCount);
  Context context{2};
  projection.Apply(hidden.view(), whole, absl::MakeSpan(expected), context);
  for (int round = 0; round < 20; ++round) {  // until screening is given up, and beyond
    projection.Apply(hidden.view(), bare, absl::MakeSpan(got), context);
    for (size_t m = 0; m < kCount; ++m) {
      EXPECT_EQ(std::isnan(got[m].log_normalizer), std::isnan(expected[m].log_normalizer)) << m;
      if (std::isnan(expected[m].log_normalizer)) continue;
      ASSERT_EQ(got[m].best.size(), 1u);
      EXPECT_EQ(got[m].best[0].id, expected[m].best[0].id) << m;
      EXPECT_EQ(got[m].best[0].logit, expected[m].best[0].logit) << m;
    }
  }
  EXPECT_EQ(got[0].best[0].id, 1027);
}

TEST(RowTable, MultipliesRowsAsTheyAre) {
  for (const int64_t cols : {1, 15, 16, 17, 100, 512}) {
    for (const bool halves : {false, true}) {
      const std::vector<float> values = halves ? naive::RandomHalves(3 * cols, 1) : naive::RandomFloats(3 * cols, 1);
      StoredTensor tensor;
      tensor.shape = {3, cols};
      tensor.data = reinterpret_cast<const std::byte*>(values.data());
      tensor.bytes = values.size() * sizeof(float);
      const RowTable table(tensor);
      const std::vector<float> x = naive::RandomFloats(cols, 2);
      for (int64_t n = 0; n < 3; ++n) {
        double expected = 0;
        for (int64_t k = 0; k < cols; ++k) {
          expected += static_cast<double>(values[static_cast<size_t>(n * cols + k)]) * x[static_cast<size_t>(k)];
        }
        EXPECT_NEAR(table.Dot(n, x.data()), expected, naive::SumTolerance(cols, 1.0));
      }
    }
  }
}

}  // namespace
}  // namespace heed
