// SPDX-License-Identifier: Apache-2.0
// Transformer-XL against what transformers 4.30.2 computes: every fixture whose name begins with transformer-xl-
// (tests/fixtures), and against itself: alone and beside others, whole and in pieces, forked, written and read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "files/checkpoint.h"
#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "models/transformer_xl/transformer_xl_config.h"
#include "models/transformer_xl/transformer_xl_network.h"

namespace heed {
namespace {

constexpr float kXlTolerance = 1e-4f;  // of a log-probability
constexpr float kXlStateTolerance = 2e-5f;

std::vector<std::string> XlFixtures(bool classifiers) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/tests/fixtures")) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "transformer-xl-") && absl::EndsWith(name, "classifier") == classifiers) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string XlFixtureName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

class XlParity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string directory = std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam();
    auto fields = JsonFields::Read(directory + "/config.json");
    ASSERT_TRUE(fields.ok()) << fields.status();
    auto config = ReadTransformerXlConfig(*fields);
    ASSERT_TRUE(config.ok()) << config.status();
    config_ = *config;
    auto checkpoint = Checkpoint::Open(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    auto network = TransformerXlNetwork::Load(*checkpoint, config_);
    ASSERT_TRUE(network.ok()) << network.status();
    network_ = std::move(*network);
    auto expected = SafetensorsFile::Open(directory + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status();
    expected_ = std::make_unique<SafetensorsFile>(std::move(*expected));
  }

  std::vector<int32_t> Ids(absl::string_view name) const {
    const StoredTensor* tensor = expected_->Find(name);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < tensor->size(); ++i) ids.push_back(static_cast<int32_t>(tensor->IndexAt(i)));
    return ids;
  }
  std::vector<float> Values(absl::string_view name) const { return ReadFloats(*expected_->Find(name)); }

  std::unique_ptr<TextMemory> Memory(int64_t segment_tokens, bool as_hugging_face = false) const {
    MemoryOptions options;
    options.segment_tokens = segment_tokens;
    options.as_hugging_face = as_hugging_face;
    return network_->NewMemory(options);
  }

  // What was asked about each token of one stream but the first.
  struct Scored {
    std::vector<float> log_probabilities;
    std::vector<int64_t> ranks;
    std::vector<Candidate> best;
    std::vector<float> rows;  // [tokens, vocabulary], if asked for
    bool operator==(const Scored& other) const {
      const auto same = [](const Candidate& a, const Candidate& b) { return a.id == b.id && a.logit == b.logit; };
      return log_probabilities == other.log_probabilities && ranks == other.ranks && rows == other.rows &&
             std::equal(best.begin(), best.end(), other.best.begin(), other.best.end(), same);
    }
  };
  // One stream that is read piece by piece, each token being scored.
  struct Stream {
    TextMemory* memory;
    std::vector<int32_t> tokens;
    std::vector<int64_t> pieces;  // taken in turns
    bool rows = false;
    int top = 2;
    size_t next = 0, turn = 0;
    Scored scored;
  };
  // The next piece of each stream in one call; false: all are at their end.
  bool ReadPieces(std::vector<Stream>& streams) {
    std::vector<Reading> readings;
    std::vector<std::vector<NextTokenQuery>> queries(streams.size());
    std::vector<std::vector<NextTokenAnswer>> answers(streams.size());
    std::vector<std::vector<std::vector<float>>> rows(streams.size());
    std::vector<size_t> which;
    for (size_t s = 0; s < streams.size(); ++s) {
      Stream& stream = streams[s];
      if (stream.next == stream.tokens.size()) continue;
      const size_t piece = static_cast<size_t>(stream.pieces[stream.turn++ % stream.pieces.size()]);
      const size_t count = std::min(piece, stream.tokens.size() - stream.next);
      for (size_t k = stream.next == 0 ? 1 : 0; k < count; ++k) {
        NextTokenQuery& query = queries[s].emplace_back();
        query.after = static_cast<int64_t>(k);
        query.target = stream.tokens[stream.next + k];
        query.top = stream.top;
        rows[s].emplace_back(stream.rows ? static_cast<size_t>(config_.vocabulary) : 0u);
        if (stream.rows) query.all = rows[s].back().data();
      }
      answers[s].resize(queries[s].size());
      readings.push_back({stream.memory, absl::MakeConstSpan(stream.tokens).subspan(stream.next, count), queries[s],
                          absl::MakeSpan(answers[s])});
      stream.next += count;
      which.push_back(s);
    }
    if (readings.empty()) return false;
    network_->Read(readings, context_);
    for (const size_t s : which) {
      Scored& scored = streams[s].scored;
      for (size_t k = 0; k < answers[s].size(); ++k) {
        scored.log_probabilities.push_back(answers[s][k].log_probability);
        scored.ranks.push_back(answers[s][k].rank);
        scored.best.insert(scored.best.end(), answers[s][k].best.begin(), answers[s][k].best.end());
        scored.rows.insert(scored.rows.end(), rows[s][k].begin(), rows[s][k].end());
      }
    }
    return true;
  }
  Scored Score(const std::vector<int32_t>& tokens, int64_t segment, const std::vector<int64_t>& pieces,
               bool rows = false) {
    const std::unique_ptr<TextMemory> memory = Memory(segment);
    std::vector<Stream> streams = {{memory.get(), tokens, pieces, rows}};
    while (ReadPieces(streams)) {
    }
    return streams[0].scored;
  }

  void ExpectNear(const std::vector<float>& found, const std::vector<float>& expected, float tolerance,
                  const std::string& what) {
    ASSERT_EQ(found.size(), expected.size()) << what;
    float worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      const float difference = std::abs(found[i] - expected[i]);
      if (!(difference <= worst)) {
        worst = difference;
        at = i;
      }
    }
    EXPECT_LE(worst, tolerance) << what << " at " << at;
    RecordProperty(what, std::to_string(worst));
  }

  TransformerXlConfig config_;
  std::unique_ptr<TransformerXlNetwork> network_;
  std::unique_ptr<SafetensorsFile> expected_;
  Context context_{2};
};

// Fixtures name the segments' lengths: "log_probabilities.7"; "whole" is one segment.
TEST_P(XlParity, LogProbabilitiesAreTransformers) {
  const std::vector<int32_t> tokens = Ids("tokens");
  for (const auto& [name, tensor] : expected_->tensors()) {
    absl::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, "log_probabilities.")) continue;
    const int64_t count = static_cast<int64_t>(tokens.size());
    const int64_t segment = rest == "whole" ? count : std::stoll(std::string(rest));
    for (const std::vector<int64_t>& pieces : std::vector<std::vector<int64_t>>{{count}, {1}, {5, 64, 1, 23}}) {
      if (pieces[0] == 1 && count > 1000 && segment > 64) continue;
      ExpectNear(Score(tokens, segment, pieces).log_probabilities, ReadFloats(tensor), kXlTolerance,
                 absl::StrCat(name, " in pieces of ", pieces[0]));
    }
  }
}

TEST_P(XlParity, WholeDistributionsAreTransformers) {
  std::vector<int32_t> tokens = Ids("tokens");
  const std::vector<float> expected = Values("rows");
  tokens.push_back(0);
  const Scored scored = Score(tokens, static_cast<int64_t>(tokens.size()), {200}, true);
  ExpectNear({scored.rows.end() - static_cast<int64_t>(expected.size()), scored.rows.end()}, expected, kXlTolerance,
             "rows");
}

TEST_P(XlParity, BestAndRankAgreeWithAll) {
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(100);
  const std::unique_ptr<TextMemory> memory = Memory(0);
  std::vector<Stream> streams = {{memory.get(), tokens, {9}, true, 7}};
  while (ReadPieces(streams)) {
  }
  const Scored whole = streams[0].scored;
  const std::unique_ptr<TextMemory> again = Memory(0);
  std::vector<Stream> without_all = {{again.get(), tokens, {9}, false, 7}};
  while (ReadPieces(without_all)) {
  }
  EXPECT_EQ(without_all[0].scored.log_probabilities, whole.log_probabilities);
  EXPECT_EQ(without_all[0].scored.ranks, whole.ranks);
  const size_t vocabulary = static_cast<size_t>(config_.vocabulary);
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    const float* row = whole.rows.data() + i * vocabulary;
    EXPECT_EQ(whole.log_probabilities[i], row[tokens[i + 1]]);
    EXPECT_EQ(whole.ranks[i],
              1 + std::count_if(row, row + vocabulary, [&](float x) { return x > row[tokens[i + 1]]; }));
    std::vector<Candidate> sorted;
    for (size_t id = 0; id < vocabulary; ++id) sorted.push_back({row[id], static_cast<int32_t>(id)});
    std::sort(sorted.begin(), sorted.end(), Better);
    for (size_t k = 0; k < 7; ++k) {
      EXPECT_EQ(whole.best[7 * i + k].id, sorted[k].id);
      EXPECT_EQ(without_all[0].scored.best[7 * i + k].id, sorted[k].id);
      EXPECT_EQ(without_all[0].scored.best[7 * i + k].logit, sorted[k].logit);
    }
  }
}

TEST_P(XlParity, BannedTokensKeepTheirShare) {
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(30);
  const std::vector<int32_t> banned = {0, 5, 19, 20, 39, 40, 59};
  std::vector<float> all(static_cast<size_t>(config_.vocabulary)), free = all;
  for (std::vector<float>* to : {&free, &all}) {
    const std::unique_ptr<TextMemory> memory = Memory(0);
    NextTokenQuery query;
    query.after = 30;
    query.top = config_.vocabulary;
    query.target = 20;
    query.all = to->data();
    if (to == &all) query.banned = banned;
    NextTokenAnswer answer;
    const Reading reading = {memory.get(), tokens, absl::MakeConstSpan(&query, 1), absl::MakeSpan(&answer, 1)};
    network_->Read(absl::MakeConstSpan(&reading, 1), context_);
    EXPECT_EQ(answer.best.size(), static_cast<size_t>(config_.vocabulary) - query.banned.size());
    EXPECT_EQ(answer.log_probability, free[20]);
    EXPECT_EQ(answer.rank, 1 + std::count_if(free.begin(), free.end(), [&](float x) { return x > free[20]; }));
  }
  for (const int32_t id : banned) free[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(all, free);
}

TEST_P(XlParity, HiddenStatesAndAttentionAreTransformers) {
  const std::vector<float> states = Values("states"), attention = Values("attention");
  const int64_t d = config_.d_model;
  const int64_t count = static_cast<int64_t>(states.size()) / d / (config_.layers + 1);
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(static_cast<size_t>(count));
  for (int64_t layer = 0; layer <= config_.layers; ++layer) {
    const std::unique_ptr<TextMemory> memory = network_->NewMemoryOfOneSegment();
    Matrix found(count, d);
    std::vector<std::vector<float>> weights;
    const int64_t cut = count / 3;  // in two pieces
    for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, cut}, {cut, count}}) {
      std::vector<std::vector<float>> piece;
      const Reading reading = {memory.get(), absl::MakeConstSpan(tokens).subspan(first, last - first), {}, {}};
      const TransformerXlNetwork::HiddenStates wanted = {layer, found.view().Rows(first, last - first), &piece};
      network_->ReadHiddenStates({&reading, 1}, {&wanted, 1}, context_);
      weights.insert(weights.end(), piece.begin(), piece.end());
    }
    std::vector<float> flat;
    for (int64_t i = 0; i < count; ++i) flat.insert(flat.end(), found.row(i), found.row(i) + d);
    ExpectNear(flat, {states.begin() + layer * count * d, states.begin() + (layer + 1) * count * d}, kXlStateTolerance,
               absl::StrCat("states of layer ", layer));
    const int64_t columns = static_cast<int64_t>(attention.size()) / count, zeros = columns - count;
    for (int64_t i = 0; i < count; ++i) {
      const float* row = attention.data() + i * columns;
      float before = 0;
      for (int64_t j = 0; j < zeros; ++j) before += row[j];
      const std::vector<float>& of_row = weights[static_cast<size_t>(i)];
      EXPECT_NEAR(of_row[0], before, kXlStateTolerance);
      for (int64_t back = 0; back < static_cast<int64_t>(of_row.size()) - 1; ++back) {
        EXPECT_NEAR(of_row[of_row.size() - 1 - static_cast<size_t>(back)], row[zeros + i - back], kXlStateTolerance);
      }
    }
  }
}

TEST_P(XlParity, GreedyContinuationsAreTransformers) {
  const std::vector<int32_t> expected = Ids("greedy");
  const std::unique_ptr<TextMemory> memory = Memory(0, true);
  std::vector<int32_t> next = Ids("prompt"), found;
  while (found.size() < expected.size()) {
    NextTokenQuery query;
    query.after = static_cast<int64_t>(next.size());
    query.top = 1;
    NextTokenAnswer answer;
    const Reading reading = {memory.get(), next, absl::MakeConstSpan(&query, 1), absl::MakeSpan(&answer, 1)};
    network_->Read(absl::MakeConstSpan(&reading, 1), context_);
    found.push_back(answer.best[0].id);
    next = {found.back()};
  }
  EXPECT_EQ(found, expected);
}

TEST_P(XlParity, SameBitsAloneAndBesideOthersInAnyPieces) {
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(120);
  const std::vector<int32_t> backwards(tokens.rbegin(), tokens.rend());
  const Scored alone = Score(tokens, 7, {1}, true);
  EXPECT_EQ(Score(tokens, 7, {120}, true), alone);
  EXPECT_EQ(Score(tokens, 7, {5, 64, 1, 23}, true), alone);
  std::vector<std::unique_ptr<TextMemory>> memories;
  std::vector<Stream> streams;
  for (const std::vector<int64_t>& pieces :
       std::vector<std::vector<int64_t>>{{1}, {30, 3}, {13}, {2}, {120}, {17, 1, 1}, {1}}) {
    memories.push_back(Memory(streams.size() == 3 ? 4 : 7));
    streams.push_back({memories.back().get(), streams.size() == 3 ? backwards : tokens, pieces, true});
  }
  while (ReadPieces(streams)) {
  }
  for (size_t s = 0; s < streams.size(); ++s) {
    if (s != 3) {
      EXPECT_EQ(streams[s].scored, alone) << s;
    }
  }
  context_.team.Run(1, [](int64_t) {});
}

TEST_P(XlParity, ForksAndCopiesGoOnToTheSameBits) {
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(120);
  for (const int64_t cut : {1, 15, 16, 17, 55}) {
    const std::unique_ptr<TextMemory> memory = Memory(7);
    const auto middle = tokens.begin() + cut;
    std::vector<Stream> first = {{memory.get(), {tokens.begin(), middle}, {31}, true}};
    while (ReadPieces(first)) {
    }
    const std::unique_ptr<TextMemory> fork = memory->Fork(), other_fork = fork->Fork();
    const std::string bytes = memory->Serialize();
    auto copy = network_->ParseMemory(bytes);
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ((*copy)->Serialize(), bytes);
    EXPECT_EQ((*copy)->tokens_read(), cut);
    EXPECT_EQ((*copy)->tokens_held(), memory->tokens_held());
    EXPECT_EQ(memory->shared_parts().size(), fork->shared_parts().size());
    // Another fork reads something else into the block that all share.
    std::vector<Stream> other = {{other_fork.get(), {tokens.rbegin(), tokens.rbegin() + 20}, {3}, true}};
    while (ReadPieces(other)) {
    }
    std::vector<Stream> rest;
    for (TextMemory* one : {memory.get(), fork.get(), copy->get()}) {
      rest.push_back({one, {middle, tokens.end()}, {2, 9}, true});
    }
    while (ReadPieces(rest)) {
    }
    EXPECT_EQ(rest[1].scored, rest[0].scored);
    EXPECT_EQ(rest[2].scored, rest[0].scored);
    EXPECT_EQ(fork->Serialize(), memory->Serialize());
    EXPECT_NE(other_fork->Serialize(), memory->Serialize());
  }
}

TEST_P(XlParity, WhatFollowsAMemoryCanBeAskedLater) {
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(50);
  std::vector<float> attention[2];
  NextTokenAnswer answers[2];
  const std::unique_ptr<TextMemory> memory = Memory(7);
  for (int k = 0; k < 2; ++k) {
    NextTokenQuery query;
    query.after = k == 0 ? 50 : 0;
    query.target = 3;
    query.top = 4;
    query.attention = &attention[k];
    const Reading reading = {memory.get(), k == 0 ? absl::MakeConstSpan(tokens) : absl::Span<const int32_t>(),
                             absl::MakeConstSpan(&query, 1), absl::MakeSpan(&answers[k], 1)};
    network_->Read(absl::MakeConstSpan(&reading, 1), context_);
  }
  EXPECT_EQ(answers[0].log_probability, answers[1].log_probability);
  EXPECT_EQ(answers[0].best[3].id, answers[1].best[3].id);
  EXPECT_EQ(attention[0], attention[1]);
  EXPECT_EQ(static_cast<int64_t>(attention[0].size()), 1 + memory->tokens_held());
  float sum = 0;
  for (const float weight : attention[0]) sum += weight;
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_P(XlParity, MemoryStaysWithinItsReach) {
  const std::vector<int32_t> tokens = Ids("tokens");
  const std::unique_ptr<TextMemory> memory = Memory(7);
  int64_t most = 0;
  for (size_t i = 0; i + 10 <= tokens.size(); i += 10) {
    const Reading reading = {memory.get(), absl::MakeConstSpan(tokens).subspan(i, 10), {}, {}};
    network_->Read({&reading, 1}, context_);
    most = std::max(most, memory->bytes());
    const int64_t reach = config_.same_length ? config_.mem_len : config_.mem_len + 7;
    EXPECT_LE(memory->tokens_held(), reach);
    EXPECT_LE(memory->shared_parts().size(), static_cast<size_t>(reach / 16 + 2));
  }
  EXPECT_LE(most, network_->MemoryBytes(0, config_.mem_len + 17));
}

TEST_P(XlParity, DamagedMemoriesAreRefused) {
  std::vector<int32_t> tokens = Ids("tokens");
  tokens.resize(40);
  const std::unique_ptr<TextMemory> memory = Memory(7);
  const Reading reading = {memory.get(), tokens, {}, {}};
  network_->Read({&reading, 1}, context_);
  const std::string bytes = memory->Serialize();
  for (size_t keep = 0; keep < bytes.size(); keep += keep < 64 ? 1 : 97) {
    EXPECT_EQ(network_->ParseMemory(bytes.substr(0, keep)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(network_->ParseMemory(bytes + "1234").ok());
  // Every byte of the header, of any value: refused, or a memory that can be read on.
  for (size_t at = 0; at < 29; ++at) {
    for (const int value : {0, 1, 2, 127, 128, 255}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(value);
      auto parsed = network_->ParseMemory(damaged);
      if (!parsed.ok()) continue;
      const Reading next = {parsed->get(), absl::MakeConstSpan(tokens).subspan(0, 3), {}, {}};
      network_->Read({&next, 1}, context_);
    }
  }
  std::string infinite = bytes;
  infinite.replace(infinite.size() - 4, 4, "\x00\x00\x80\x7f", 4);
  EXPECT_THAT(network_->ParseMemory(infinite).status().ToString(), testing::HasSubstr("inf"));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlParity, testing::ValuesIn(XlFixtures(false)), XlFixtureName);

class XlClassifier : public XlParity {};

TEST_P(XlClassifier, LogitsAreTransformers) {
  EXPECT_FALSE(network_->has_output_layer());
  for (int k = 0; expected_->Find(absl::StrCat("text.", k)) != nullptr; ++k) {
    const std::vector<int32_t> tokens = Ids(absl::StrCat("text.", k));
    const int64_t count = static_cast<int64_t>(tokens.size());
    const std::unique_ptr<TextMemory> memory = network_->NewMemoryOfOneSegment();
    Matrix states(count, config_.d_model);
    const Reading reading = {memory.get(), tokens, {}, {}};
    const TransformerXlNetwork::HiddenStates wanted = {config_.layers, states.view(), nullptr};
    network_->ReadHiddenStates({&reading, 1}, {&wanted, 1}, context_);
    Matrix logits(1, network_->classifier()->out());
    network_->classifier()->Apply(states.view().Rows(count - 1, 1), logits.view(), context_);
    ExpectNear({logits.row(0), logits.row(0) + logits.cols()}, Values(absl::StrCat("logits.", k)), kXlStateTolerance,
               absl::StrCat("logits ", k));
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlClassifier, testing::ValuesIn(XlFixtures(true)), XlFixtureName);

}  // namespace
}  // namespace heed
