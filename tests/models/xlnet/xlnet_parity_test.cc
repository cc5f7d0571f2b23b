// SPDX-License-Identifier: Apache-2.0
// The network against Hugging Face transformers 4.57.1: tests/fixtures/make_xlnet.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/models/xlnet/xlnet_fixture.h"

namespace heed {
namespace {

constexpr const char* kLanguageModels[] = {"xlnet-lm",     "xlnet-lm-relu-clamp", "xlnet-lm-memory", "xlnet-lm-reuse",
                                           "xlnet-lm-uni", "xlnet-lm-uni-same",   "xlnet-lm-untied"};

class XlnetParity : public testing::TestWithParam<const char*> {
 protected:
  void ExpectRow(const json& expected, const float* row) {
    for (size_t j = 0; j < expected.size(); ++j, ++compared_) {
      EXPECT_NEAR(row[j], expected[j].get<float>(), kParity * std::max(1.0f, std::abs(row[j]))) << "number " << j;
    }
  }

  XlnetFixture fixture_{GetParam()};
  Context context_{2};
  int compared_ = 0;
};

TEST_P(XlnetParity, ScoresFromLeftToRight) {
  for (const json& expected : fixture_.Cases("score")) {
    const std::vector<int32_t> ids = IdsOf(expected["ids"]);
    const int64_t segment = fixture_.reader().has_segments() ? expected["segment"].get<int64_t>() : 0;
    for (const size_t chunk : {ids.size(), size_t{128}, size_t{5}}) {
      auto memory = fixture_.reader().NewMemory({.segment_tokens = segment});
      std::vector<NextTokenAnswer> answers(ids.size());
      for (size_t begin = 0; begin < ids.size(); begin += chunk) {
        const size_t count = std::min(chunk, ids.size() - begin);
        std::vector<NextTokenQuery> queries;
        for (size_t i = begin == 0 ? 1 : 0; i < count; ++i) {
          NextTokenQuery& query = queries.emplace_back();
          query.after = static_cast<int64_t>(i);
          query.target = ids[begin + i];
        }
        const Reading reading = {memory.get(), absl::MakeConstSpan(ids).subspan(begin, count), queries,
                                 absl::MakeSpan(answers).subspan(begin + (begin == 0 ? 1 : 0), queries.size())};
        fixture_.reader().Read({&reading, 1}, context_);
      }
      for (size_t i = 1; i < ids.size(); ++i) {
        const json& value = expected["log_probabilities"][i];
        ASSERT_EQ(answers[i].is_defined, !value.is_null()) << i;
        if (!value.is_null()) {
          ASSERT_NEAR(answers[i].log_probability, value.get<float>(), kParity)
              << "token " << i << " of " << ids.size() << " in pieces of " << chunk;
        }
        ++compared_;
      }
      EXPECT_EQ(memory->tokens_read(), static_cast<int64_t>(ids.size()));
    }
  }
  EXPECT_GT(compared_, 2000);
}

TEST_P(XlnetParity, GapsAreFilledInOnePass) {
  for (const json& expected : fixture_.Cases("gaps")) {
    const std::vector<int32_t> ids = IdsOf(expected["ids"]);
    const std::vector<int64_t> gaps = expected["gaps"].get<std::vector<int64_t>>();
    const int64_t contents = static_cast<int64_t>(ids.size() - gaps.size());
    XlnetPass pass;
    std::vector<KeyRange> sights;
    sights.reserve(ids.size());
    int64_t before = 0;  // content rows
    for (int64_t i = 0; i < static_cast<int64_t>(ids.size()); ++i) {
      if (std::count(gaps.begin(), gaps.end(), i) > 0) continue;
      XlnetRow& row = pass.rows.emplace_back();
      row.token = ids[static_cast<size_t>(i)];
      row.position = i;
      sights.push_back({0, fixture_.config.causal ? ++before : contents});
      row.sees = absl::MakeConstSpan(&sights.back(), 1);
    }
    std::vector<NextTokenQuery> queries;
    std::vector<std::vector<float>> logits;
    for (size_t k = 0; k < gaps.size(); ++k) {
      int64_t seen = contents;
      if (fixture_.config.causal) seen = gaps[k] - static_cast<int64_t>(k);
      if (seen == 0) continue;
      XlnetRow& row = pass.rows.emplace_back();
      row.position = gaps[k];
      sights.push_back({0, seen});
      row.sees = absl::MakeConstSpan(&sights.back(), 1);
      logits.emplace_back(static_cast<size_t>(fixture_.config.vocabulary));
      queries.emplace_back();
    }
    for (size_t k = 0; k < queries.size(); ++k) queries[k].all = logits[k].data();
    std::vector<NextTokenAnswer> answers(queries.size());
    Arena::Scope scope(context_.arena);
    const MatrixView hidden = fixture_.network->Run({&pass, 1}, fixture_.config.layers, context_);
    fixture_.network->Predict(hidden, queries, absl::MakeSpan(answers), context_);
    const size_t blind = gaps.size() - queries.size();
    for (size_t k = 0; k < queries.size(); ++k) ExpectRow(expected["log_probabilities"][k + blind], logits[k].data());
  }
  if (!fixture_.config.same_length) {
    EXPECT_GT(compared_, 0);
  }
}

// A row for every token, each with a set of its own.
TEST_P(XlnetParity, AnySetsOfSeenTokensAgree) {
  for (const json& expected : fixture_.Cases("permutation")) {
    const std::vector<int32_t> ids = IdsOf(expected["ids"]);
    const std::vector<int> types = expected["types"].get<std::vector<int>>();
    const std::vector<int64_t> targets = expected["targets"].get<std::vector<int64_t>>();
    const int64_t count = static_cast<int64_t>(ids.size());
    std::vector<std::vector<KeyRange>> sights(ids.size() + targets.size());
    XlnetPass pass;
    pass.has_types = !types.empty();
    const auto add = [&](int64_t place, bool is_query, std::vector<KeyRange>& sight) {
      for (int64_t j = 0; j < count; ++j) {
        const bool sees = expected["sees"][static_cast<size_t>(place)][static_cast<size_t>(j)] == 1;
        if (sees || (!is_query && j == place)) sight.push_back({j, j + 1});
      }
      if (sight.empty()) return;
      XlnetRow& row = pass.rows.emplace_back();
      if (!is_query) row.token = ids[static_cast<size_t>(place)];
      row.position = place;
      if (pass.has_types) row.type = static_cast<uint8_t>(types[static_cast<size_t>(place)]);
      row.sees = sight;
    };
    for (int64_t i = 0; i < count; ++i) add(i, false, sights[static_cast<size_t>(i)]);
    for (size_t k = 0; k < targets.size(); ++k) add(targets[k], true, sights[ids.size() + k]);
    Arena::Scope scope(context_.arena);
    const MatrixView hidden = fixture_.network->Run({&pass, 1}, fixture_.config.layers, context_);
    int64_t next = 0;
    for (size_t k = 0; k < targets.size(); ++k) {
      if (sights[ids.size() + k].empty()) continue;
      SCOPED_TRACE(k);
      ExpectRow(expected["hidden"][k], hidden.row(next++));
    }
  }
}

TEST_P(XlnetParity, GeneratesWhatTransformersGenerates) {
  for (const json& expected : fixture_.Cases("generate")) {
    if (expected["num_beams"] != 1) continue;
    const std::vector<int32_t> ids = IdsOf(expected["ids"]), tokens = IdsOf(expected["tokens"]);
    auto memory = fixture_.reader().NewMemory({.as_hugging_face = true});
    std::vector<int32_t> next = ids;
    for (size_t i = 0; i < tokens.size(); ++i) {
      NextTokenQuery query;
      query.after = static_cast<int64_t>(next.size());
      query.top = 1;
      NextTokenAnswer answer;
      const Reading reading = {memory.get(), next, {&query, 1}, {&answer, 1}};
      fixture_.reader().Read({&reading, 1}, context_);
      ASSERT_EQ(answer.best[0].id, tokens[i]) << "token " << i;
      EXPECT_NEAR(answer.best[0].logit, expected["log_probabilities"][i].get<float>(), kParity) << "token " << i;
      next = {tokens[i]};
      ++compared_;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlnetParity, testing::ValuesIn(kLanguageModels));

TEST(XlnetEncoding, EveryLayerAndItsAttentionAgree) {
  XlnetFixture fixture("xlnet-plain");
  EXPECT_FALSE(fixture.network->predicts());
  Context context(2);
  int compared = 0;
  for (const json& expected : fixture.Cases("head")) {
    std::vector<KeyRange> sights;
    sights.reserve(100);
    const std::vector<int32_t> ids = IdsOf(expected["ids"]);
    XlnetPass pass = EncodingOf(fixture.config, ids, expected["types"].get<std::vector<int>>(), sights);
    std::vector<std::vector<float>> attention(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) pass.rows[i].attention = &attention[i];
    for (int64_t depth = 0; depth <= fixture.config.layers; ++depth) {
      Arena::Scope scope(context.arena);
      const MatrixView hidden = fixture.network->Run({&pass, 1}, depth, context);
      for (size_t i = 0; i < ids.size(); ++i) {
        const json& row = expected["layers"][static_cast<size_t>(depth)][i];
        for (size_t j = 0; j < row.size(); ++j, ++compared) {
          EXPECT_NEAR(hidden.row(static_cast<int64_t>(i))[j], row[j].get<float>(), kParity);
        }
        if (depth < fixture.config.layers) continue;
        for (size_t j = 0; j < ids.size(); ++j) {
          EXPECT_NEAR(attention[i][j], expected["attention"][i][j].get<float>(), kParity);
        }
      }
    }
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace heed
