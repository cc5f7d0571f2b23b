// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/models/xlnet/xlnet_fixture.h"

namespace heed {
namespace {

using testing::HasSubstr;

constexpr const char* kModels[] = {"xlnet-lm",       "xlnet-lm-relu-clamp", "xlnet-lm-memory",
                                   "xlnet-lm-reuse", "xlnet-lm-uni",        "xlnet-lm-uni-same"};

class XlnetReading : public testing::TestWithParam<const char*> {
 protected:
  // Reads tokens, and gives the log-probabilities of all that could follow each of them.
  std::vector<float> Read(TextMemory& memory, const std::vector<int32_t>& ids, bool only_after_all = false) {
    const size_t vocabulary = static_cast<size_t>(fixture_.config.vocabulary);
    std::vector<NextTokenQuery> queries;
    for (size_t i = only_after_all ? ids.size() : 1; i <= ids.size(); ++i) {
      queries.emplace_back().after = static_cast<int64_t>(i);
    }
    std::vector<float> all(vocabulary * queries.size());
    for (size_t i = 0; i < queries.size(); ++i) queries[i].all = all.data() + i * vocabulary;
    std::vector<NextTokenAnswer> answers(queries.size());
    const Reading reading = {&memory, ids, queries, absl::MakeSpan(answers)};
    fixture_.reader().Read({&reading, 1}, context_);
    return all;
  }

  XlnetFixture fixture_{GetParam()};
  std::vector<int32_t> ids_ = IdsOf(fixture_.Cases("score").at(2)["ids"]);
  Context context_{2};
};

TEST_P(XlnetReading, TheCutDoesNotMatterToTheBit) {
  for (const bool as_hugging_face : {false, true}) {
    if (as_hugging_face && !fixture_.reader().has_hugging_face_mode()) continue;
    const MemoryOptions options = {.as_hugging_face = as_hugging_face};
    const std::vector<int32_t> first(ids_.begin(), ids_.begin() + 9);
    auto whole = fixture_.reader().NewMemory(options), single = fixture_.reader().NewMemory(options);
    Read(*whole, first);
    Read(*single, first);
    std::vector<float> expected, found;
    if (as_hugging_face) {
      expected = Read(*whole, {ids_.begin() + 9, ids_.end()}, true);
    } else {
      expected = Read(*whole, {ids_.begin() + 9, ids_.end()});
    }
    for (size_t i = 9; i < ids_.size(); ++i) {
      const std::vector<float> one = Read(*single, {ids_[i]});
      if (as_hugging_face) found.clear();
      found.insert(found.end(), one.begin(), one.end());
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(single->Serialize(), whole->Serialize());
    // What follows can be asked again without reading.
    const std::vector<float> again = Read(*single, {}, true);
    const size_t vocabulary = static_cast<size_t>(fixture_.config.vocabulary);
    EXPECT_TRUE(std::equal(again.begin(), again.end(), found.end() - static_cast<int64_t>(vocabulary)));
  }
}

TEST_P(XlnetReading, TheSameAloneAndBesideOthers) {
  auto alone = fixture_.reader().NewMemory({});
  const std::vector<float> expected = Read(*alone, ids_);
  for (const size_t others : {1u, 5u}) {
    std::vector<std::unique_ptr<TextMemory>> memories;
    std::vector<std::vector<int32_t>> texts;
    for (size_t i = 0; i <= others; ++i) {
      memories.push_back(fixture_.reader().NewMemory({}));
      texts.push_back({ids_.begin() + static_cast<int64_t>(i), ids_.end()});
    }
    std::swap(texts.front(), texts.back());  // ours comes last
    std::vector<float> all(expected.size());
    std::vector<NextTokenQuery> queries;
    for (size_t i = 0; i < ids_.size(); ++i) {
      NextTokenQuery& query = queries.emplace_back();
      query.after = static_cast<int64_t>(i) + 1;
      query.all = all.data() + i * static_cast<size_t>(fixture_.config.vocabulary);
    }
    std::vector<NextTokenAnswer> answers(queries.size());
    std::vector<Reading> readings;
    for (size_t i = 0; i <= others; ++i) readings.push_back({memories[i].get(), texts[i], {}, {}});
    readings.back().queries = queries;
    readings.back().answers = absl::MakeSpan(answers);
    Context one(1);
    fixture_.reader().Read(readings, one);
    EXPECT_EQ(all, expected);
    EXPECT_EQ(memories.back()->Serialize(), alone->Serialize());
  }
}

TEST_P(XlnetReading, ForksGoOnByThemselves) {
  auto memory = fixture_.reader().NewMemory({});
  Read(*memory, {ids_.begin(), ids_.begin() + 21});
  const std::string before = memory->Serialize();
  auto left = memory->Fork(), right = memory->Fork();
  EXPECT_EQ(left->shared_parts().size(), memory->shared_parts().size());
  EXPECT_EQ(left->shared_parts().at(0).identity, memory->shared_parts().at(0).identity);
  const std::vector<float> other = Read(*left, {10, 11, 12});
  const std::vector<float> found = Read(*right, {ids_.begin() + 21, ids_.end()});
  EXPECT_EQ(memory->Serialize(), before);
  EXPECT_EQ(Read(*memory, {ids_.begin() + 21, ids_.end()}), found);
  EXPECT_EQ(memory->Serialize(), right->Serialize());
  auto again = fixture_.reader().NewMemory({});
  Read(*again, {ids_.begin(), ids_.begin() + 21});
  EXPECT_EQ(Read(*again, {10, 11, 12}), other);
}

TEST_P(XlnetReading, WhatWasWrittenGoesOnAsIfItHadNot) {
  auto memory = fixture_.reader().NewMemory({});
  for (size_t end : {5u, 11u, 30u}) {
    Read(*memory, {ids_.begin() + memory->tokens_read(), ids_.begin() + static_cast<int64_t>(end)}, true);
    auto parsed = fixture_.reader().ParseMemory(memory->Serialize());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ((*parsed)->Serialize(), memory->Serialize());
    EXPECT_EQ((*parsed)->tokens_read(), memory->tokens_read());
    EXPECT_EQ((*parsed)->tokens_held(), memory->tokens_held());
    auto fork = memory->Fork();
    const std::vector<int32_t> next = {ids_.begin() + static_cast<int64_t>(end), ids_.end()};
    EXPECT_EQ(Read(**parsed, next, true), Read(*fork, next, true));
  }
}

TEST_P(XlnetReading, NoSessionIsOfGenerationAsHuggingFaces) {
  if (!fixture_.reader().has_hugging_face_mode()) return;
  auto memory = fixture_.reader().NewMemory({.as_hugging_face = true});
  Read(*memory, {ids_.begin(), ids_.begin() + 5}, true);
  EXPECT_EQ(fixture_.reader().ParseMemory(memory->Serialize()).status().message(),
            "memory of an XLNet: is of generation as Hugging Face's, which no session is");
}

TEST_P(XlnetReading, DamagedBytesAreRefusedOrHarmless) {
  auto memory = fixture_.reader().NewMemory({});
  Read(*memory, {ids_.begin(), ids_.begin() + 14});
  const std::string bytes = memory->Serialize();
  for (size_t size = 0; size < bytes.size(); size += size < 100 ? 1 : 97) {
    EXPECT_EQ(fixture_.reader().ParseMemory(bytes.substr(0, size)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(fixture_.reader().ParseMemory(bytes + "a").ok());
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = bytes;
    const size_t header = 77;
    const size_t at = random() % (i % 3 == 0 ? damaged.size() : header);
    damaged[at] = static_cast<char>(random());
    if (i % 2 == 0) damaged[random() % header] = static_cast<char>(random());
    auto parsed = fixture_.reader().ParseMemory(damaged);
    if (!parsed.ok()) continue;
    Read(**parsed, {10, 11, 12});
    EXPECT_GE((*parsed)->tokens_held(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlnetReading, testing::ValuesIn(kModels));

TEST(XlnetMemoryTest, AMemoryOfAnotherModelIsRefused) {
  const XlnetFixture one("xlnet-lm"), other("xlnet-lm-untied");
  auto memory = one.reader().NewMemory({});
  EXPECT_THAT(other.reader().ParseMemory(memory->Serialize()).status().ToString(),
              HasSubstr("is of 3 layers of 16, the model has 3 of 20"));
}

TEST(XlnetMemoryTest, SegmentsForgetWhatNobodySees) {
  const XlnetFixture fixture("xlnet-lm-memory");
  Context context(1);
  auto memory = fixture.reader().NewMemory({.segment_tokens = 5});
  std::vector<int32_t> ids(400, 20);
  const Reading reading = {memory.get(), ids, {}, {}};
  fixture.reader().Read({&reading, 1}, context);
  EXPECT_EQ(memory->tokens_read(), 400);
  EXPECT_LE(memory->tokens_held(), 12 + 5);
  EXPECT_LE(memory->shared_parts().size(), 3u);
}

}  // namespace
}  // namespace heed
