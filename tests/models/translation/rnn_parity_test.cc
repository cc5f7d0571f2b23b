// SPDX-License-Identifier: Apache-2.0
// Recurrent networks against what their sources compute: every fixture whose name begins with rnn- (tests/fixtures).
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "files/checkpoint.h"
#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "models/translation/rnn_config.h"
#include "models/translation/rnn_network.h"
#include "models/translation/seq2seq_translator.h"

namespace heed {
namespace {

// Sums of at most 100 products of about 1, in at most 8 layers and 12 steps that feed each other: measured differences
// are a tenth of it.
constexpr float kRnnTolerance = 5e-5f;

std::vector<std::string> RnnFixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/tests/fixtures")) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("rnn-", 0) == 0 && std::filesystem::exists(entry.path() / "expected.safetensors"))
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string RnnFixtureName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

// One hypothesis' answers, step after step.
struct Forced {
  std::vector<std::vector<float>> logits, attention;
};

class RnnParity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string directory = std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam();
    auto fields = JsonFields::Read(directory + "/config.json");
    ASSERT_TRUE(fields.ok()) << fields.status();
    auto config = ReadRnnConfig(directory, *fields);
    ASSERT_TRUE(config.ok()) << config.status();
    config_ = *config;
    auto checkpoint = Checkpoint::Open(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    auto network = RnnNetwork::Load(*checkpoint, config_);
    ASSERT_TRUE(network.ok()) << network.status();
    network_ = std::move(*network);
    auto expected = SafetensorsFile::Open(directory + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status();
    expected_ = std::make_unique<SafetensorsFile>(std::move(*expected));
    for (int k = 0; expected_->Find(absl::StrCat("source.", k)) != nullptr; ++k) {
      sources_.push_back(Ids("source", k));
      targets_.push_back(Ids("target", k));
    }
    ASSERT_GE(sources_.size(), 3u);
  }

  std::vector<int32_t> Ids(const char* name, size_t k) const {
    const StoredTensor* tensor = expected_->Find(absl::StrCat(name, ".", k));
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < tensor->size(); ++i) ids.push_back(static_cast<int32_t>(tensor->IndexAt(i)));
    return ids;
  }
  std::vector<float> Values(const char* name, size_t k) const {
    const StoredTensor* tensor = expected_->Find(absl::StrCat(name, ".", k));
    return tensor == nullptr ? std::vector<float>() : ReadFloats(*tensor);
  }

  std::vector<std::unique_ptr<DecoderState>> EncodeTogether(const std::vector<std::vector<int32_t>>& sources,
                                                            int64_t slots) {
    std::vector<std::unique_ptr<DecoderState>> memories;
    std::vector<DecoderState*> borrowed;
    for (const std::vector<int32_t>& source : sources) {
      memories.push_back(network_->NewMemory(source, slots));
      borrowed.push_back(memories.back().get());
    }
    network_->Encode(borrowed, context_);
    return memories;
  }

  // A hypothesis that is forced to say `target`, beside others.
  struct Hypothesis {
    DecoderState* memory;
    size_t source_tokens;
    std::vector<int32_t> target;
    std::vector<int32_t> slots;  // of each step
  };
  std::vector<Forced> Run(const std::vector<Hypothesis>& hypotheses) {
    std::vector<Forced> results(hypotheses.size());
    std::set<size_t> ended;
    for (size_t t = 0;; ++t) {
      std::vector<StepRow> rows;
      std::vector<VocabularyQuery> queries;
      for (size_t i = 0; i < hypotheses.size(); ++i) {
        const Hypothesis& hypothesis = hypotheses[i];
        if (t == hypothesis.target.size()) ended.insert(i);
        if (ended.contains(i)) continue;
        results[i].logits.emplace_back(static_cast<size_t>(network_->vocabulary()));
        results[i].attention.emplace_back(hypothesis.source_tokens);
        StepRow& row = rows.emplace_back();
        row.memory = hypothesis.memory;
        row.token = t == 0 ? config_.generation.search.start : hypothesis.target[t - 1];
        row.position = static_cast<int32_t>(t);
        row.slot = hypothesis.slots[t];
        row.history = hypothesis.slots.data();
        row.attention = network_->has_attention() ? results[i].attention.back().data() : nullptr;
        queries.emplace_back().all_logits = results[i].logits.back().data();
      }
      if (rows.empty()) return results;
      std::vector<VocabularyAnswer> answers(rows.size());
      network_->Step(rows, queries, absl::MakeSpan(answers), context_);
    }
  }
  Forced RunAlone(size_t k, const std::vector<int32_t>& target) {
    const auto memories = EncodeTogether({sources_[k]}, 1);
    return Run({{memories[0].get(), sources_[k].size(), target, std::vector<int32_t>(target.size(), 0)}}).front();
  }

  RnnConfig config_;
  std::unique_ptr<RnnNetwork> network_;
  std::unique_ptr<SafetensorsFile> expected_;
  std::vector<std::vector<int32_t>> sources_, targets_;
  Context context_{2};
};

void ExpectNearAll(const std::vector<std::vector<float>>& rows, const std::vector<float>& expected, const char* what) {
  size_t at = 0;
  for (const std::vector<float>& row : rows) {
    for (const float value : row) {
      ASSERT_LT(at, expected.size()) << what;
      ASSERT_NEAR(value, expected[at], kRnnTolerance * std::max(1.0f, std::abs(expected[at]))) << what << " " << at;
      ++at;
    }
  }
  EXPECT_EQ(at, expected.size()) << what;
}

TEST_P(RnnParity, LogitsAndAttentionAgree) {
  for (size_t k = 0; k < sources_.size(); ++k) {
    SCOPED_TRACE(k);
    const Forced forced = RunAlone(k, targets_[k]);
    ExpectNearAll(forced.logits, Values("logits", k), "logits");
    EXPECT_EQ(network_->has_attention(), expected_->Find(absl::StrCat("attention.", k)) != nullptr);
    if (network_->has_attention()) ExpectNearAll(forced.attention, Values("attention", k), "attention");
  }
}

TEST_P(RnnParity, GreedySearchFindsTheSame) {
  for (size_t k = 0; k < sources_.size(); ++k) {
    SCOPED_TRACE(k);
    TranslateOptions options = config_.generation.default_options;
    options.beam_size = 1;
    options.max_tokens = 12;
    options.stop_loops = false;
    Search search(config_.generation.search, options, {}, network_->vocabulary(), 0, false);
    const auto memories = EncodeTogether({sources_[k]}, 1);
    while (!search.done()) {
      std::vector<StepRow> rows;
      std::vector<VocabularyQuery> queries;
      AppendStepRows(search, memories[0].get(), nullptr, 1, static_cast<int64_t>(sources_[k].size()), rows, queries);
      std::vector<VocabularyAnswer> answers(rows.size());
      network_->Step(rows, queries, absl::MakeSpan(answers), context_);
      search.Advance(answers);
    }
    EXPECT_EQ(search.TakeResults().at(0).tokens, Ids("greedy", k));
  }
}

TEST_P(RnnParity, ABatchGivesTheBitsOfEachSentenceAlone) {
  const auto memories = EncodeTogether(sources_, 1);
  std::vector<Hypothesis> hypotheses;
  for (size_t k = 0; k < sources_.size(); ++k) {
    std::vector<int32_t> slots(targets_[k].size(), 0);
    hypotheses.push_back({memories[k].get(), sources_[k].size(), targets_[k], std::move(slots)});
  }
  const std::vector<Forced> together = Run(hypotheses);
  for (size_t k = 0; k < sources_.size(); ++k) {
    const Forced alone = RunAlone(k, targets_[k]);
    EXPECT_EQ(together[k].logits, alone.logits) << k;
    EXPECT_EQ(together[k].attention, alone.attention) << k;
  }
}

// Three hypotheses of one sentence change places at each step, and the third leaves the first after two tokens.
TEST_P(RnnParity, HypothesesMayChangeSlots) {
  const std::vector<int32_t>& first = targets_[0];
  std::vector<int32_t> second = first, third = first;
  std::reverse(second.begin(), second.end());
  std::rotate(third.begin() + 2, third.begin() + 3, third.end());
  const std::vector<std::vector<int32_t>> targets = {first, second, third};
  const size_t steps = first.size();
  const auto slot_of = [](size_t hypothesis, size_t t) { return static_cast<int32_t>((hypothesis + t) % 3); };
  const auto memories = EncodeTogether({sources_[0]}, 3);
  std::vector<Hypothesis> hypotheses;
  for (size_t i = 0; i < targets.size(); ++i) {
    Hypothesis hypothesis = {memories[0].get(), sources_[0].size(), targets[i], {}};
    for (size_t t = 0; t < steps; ++t) hypothesis.slots.push_back(slot_of(i, t));
    hypotheses.push_back(std::move(hypothesis));
  }
  // Until then, what the first leaves is the third's past, too: the token after which they differ is read in step 3.
  hypotheses[2].slots[1] = slot_of(0, 1);
  const std::vector<Forced> together = Run(hypotheses);
  for (size_t i = 0; i < targets.size(); ++i) {
    const Forced alone = RunAlone(0, targets[i]);
    EXPECT_EQ(together[i].logits, alone.logits) << i;
    EXPECT_EQ(together[i].attention, alone.attention) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, RnnParity, testing::ValuesIn(RnnFixtures()), RnnFixtureName);

}  // namespace
}  // namespace heed
