// SPDX-License-Identifier: Apache-2.0
// The network, the tokenizer and the searches against Hugging Face transformers itself: tests/fixtures.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "models/architectures.h"
#include "models/text/language_codes.h"
#include "models/text/marian_tokenizer.h"
#include "models/translation/marian.h"
#include "models/translation/seq2seq_translator.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

using nlohmann::json;

// One unit in the last place, for sums of about 100 products of about 1 in 6 layers: measured differences are a third.
constexpr float kTolerance = 100 * 6 * 1.2e-7f;

class MarianParity : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    directory_ = std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam();
    std::ifstream file(directory_ + "/expectations.json");
    expectations_ = json::parse(file);
    auto config = ReadMarianConfig(directory_);
    ASSERT_TRUE(config.ok()) << config.status();
    config_ = *config;
    auto weights = Checkpoint::Open(directory_);
    ASSERT_TRUE(weights.ok()) << weights.status();
    for (GemmBackend backend : {GemmBackend::kPacked, GemmBackend::kTiled}) {
      auto network = MarianNetwork::Load(*weights, config_, backend);
      ASSERT_TRUE(network.ok()) << network.status();
      networks_.push_back(std::move(*network));
    }
    TokenIds ids;
    ids.source_vocabulary = static_cast<int32_t>(config_.source_vocabulary);
    ids.target_vocabulary = static_cast<int32_t>(config_.target_vocabulary);
    ids.eos = config_.generation.search.eos;
    ids.pad = config_.pad;
    auto codec = MarianTokenizer::Load(directory_, ids);
    ASSERT_TRUE(codec.ok()) << codec.status();
    codec_ = std::make_unique<MarianTokenizer>(std::move(*codec));
  }

  std::string directory_;
  json expectations_;
  MarianConfig config_;
  std::vector<std::unique_ptr<MarianNetwork>> networks_;  // one for each way of the encoder's layers
  std::unique_ptr<MarianTokenizer> codec_;
  Context context_{2};
};

TEST_P(MarianParity, TokenizesAsMarianTokenizer) {
  ASSERT_FALSE(expectations_["tokenizer"].empty());
  for (const json& expected : expectations_["tokenizer"]) {
    const std::string text = expected["text"].get<std::string>();
    const auto stretches = SplitAtLanguageCodes(text, codec_->language_codes());
    ASSERT_TRUE(stretches.ok()) << stretches.status();
    ASSERT_EQ(stretches->size(), 1u) << text;
    EXPECT_EQ(codec_->EncodeSource(stretches->front().code, stretches->front().body).ids,
              expected["ids"].get<std::vector<int32_t>>())
        << text;
  }
}

TEST_P(MarianParity, EncoderStatesAgree) {
  int compared = 0;
  for (const json& expected : expectations_["cases"]) {
    if (!expected.contains("encoder")) continue;
    for (const auto& network : networks_) {
      const Matrix states = network->EncoderStates(expected["source"].get<std::vector<int32_t>>(), context_);
      const json& rows = expected["encoder"];
      ASSERT_EQ(states.rows(), static_cast<int64_t>(rows.size()));
      for (int64_t i = 0; i < states.rows(); ++i) {
        for (int64_t j = 0; j < states.cols(); ++j, ++compared) {
          const float value = rows[static_cast<size_t>(i)][static_cast<size_t>(j)].get<float>();
          EXPECT_NEAR(states.row(i)[j], value, kTolerance * std::max(1.0f, std::abs(value)));
        }
      }
    }
  }
  EXPECT_GT(compared, 0);
}

TEST_P(MarianParity, StepLogitsAndAttentionAgree) {
  int compared = 0;
  for (const json& expected : expectations_["cases"]) {
    if (!expected.contains("logits")) continue;
    for (const auto& network : networks_) {
      const auto source = expected["source"].get<std::vector<int32_t>>();
      const auto target = expected["target"].get<std::vector<int32_t>>();
      std::unique_ptr<DecoderState> memory = network->NewMemory(source, 1);
      DecoderState* const memories[] = {memory.get()};
      network->Encode(memories, context_);
      const std::vector<int32_t> history(target.size(), 0);
      for (size_t t = 0; t < target.size(); ++t) {
        std::vector<float> logits(static_cast<size_t>(network->vocabulary()));
        std::vector<float> attention(source.size());
        StepRow row;
        row.memory = memory.get();
        row.token = target[t];
        row.position = static_cast<int32_t>(t);
        row.history = history.data();
        row.attention = attention.data();
        VocabularyQuery query;
        query.top = 2;
        query.all_logits = logits.data();
        VocabularyAnswer answer;
        network->Step({&row, 1}, {&query, 1}, {&answer, 1}, context_);
        const json& row_logits = expected["logits"][t];
        for (size_t i = 0; i < logits.size(); ++i, ++compared) {
          const float value = row_logits[i].get<float>();
          EXPECT_NEAR(logits[i], value, kTolerance * std::max(1.0f, std::abs(value)));
        }
        for (size_t i = 0; i < attention.size(); ++i) {
          EXPECT_NEAR(attention[i], expected["cross_attention"][t][i].get<float>(), kTolerance);
        }
        ASSERT_EQ(answer.best.size(), 2u);
        EXPECT_EQ(answer.best[0].logit, *std::max_element(logits.begin(), logits.end()));
      }
    }
  }
  EXPECT_GT(compared, 0);
}

TEST_P(MarianParity, SearchFindsWhatGenerateFinds) {
  int searches = 0;
  for (const json& expected : expectations_["cases"]) {
    const auto source = expected["source"].get<std::vector<int32_t>>();
    for (const json& call : expected["generate"]) {
      SCOPED_TRACE(expected["text"].get<std::string>() + " " + call.dump());
      TranslateOptions options;
      options.beam_size = call["num_beams"].get<int>();
      options.n_best = call["num_return_sequences"].get<int>();
      options.length_penalty = call["length_penalty"].get<float>();
      options.no_repeat_ngram = call["no_repeat_ngram_size"].get<int>();
      options.min_tokens = std::max(0, call["min_length"].get<int>() - 1);
      options.max_tokens = call["max_length"].get<int>() - 1;  // transformers counts the start token
      options.early_stopping = call["early_stopping"].is_string()   ? EarlyStopping::kNever
                               : call["early_stopping"].get<bool>() ? EarlyStopping::kFirst
                                                                    : EarlyStopping::kHeuristic;
      options.stop_loops = false;
      const auto prompt = call["decoder_input_ids"].get<std::vector<int32_t>>();
      const MarianNetwork& network = *networks_[static_cast<size_t>(searches) % networks_.size()];
      Search search(config_.generation.search, options, {prompt.begin() + 1, prompt.end()}, network.vocabulary(), 0,
                    false);
      std::unique_ptr<DecoderState> memory = network.NewMemory(source, options.beam_size);
      DecoderState* const memories[] = {memory.get()};
      network.Encode(memories, context_);
      while (!search.done()) {
        std::vector<StepRow> rows;
        std::vector<VocabularyQuery> queries;
        AppendStepRows(search, memory.get(), nullptr, options.beam_size, static_cast<int64_t>(source.size()), rows,
                       queries);
        std::vector<VocabularyAnswer> answers(rows.size());
        network.Step(rows, queries, absl::MakeSpan(answers), context_);
        search.Advance(answers);
      }
      const std::vector<FoundHypothesis> found = search.TakeResults();
      ASSERT_EQ(found.size(), call["sequences"].size());
      for (size_t i = 0; i < found.size(); ++i) {
        auto tokens = call["sequences"][i].get<std::vector<int32_t>>();
        tokens.erase(tokens.begin());  // the start token
        EXPECT_EQ(found[i].tokens, tokens);
        EXPECT_EQ(codec_->Decode(found[i].tokens, {}), call["texts"][i].get<std::string>());
        if (call.contains("scores")) {
          EXPECT_NEAR(found[i].score, call["scores"][i].get<float>(), 1e-4);
        } else if (config_.generation.search.renormalize) {  // transformers leaves greedy scores unnormalized otherwise
          const auto length = static_cast<double>(tokens.size() - prompt.size() + 1);
          EXPECT_NEAR(found[i].score * std::pow(length, options.length_penalty), call["log_probability"].get<float>(),
                      1e-3);
        }
      }
      ++searches;
    }
  }
  EXPECT_GT(searches, 20);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, MarianParity,
                         testing::Values("marian-swish", "marian-relu", "marian-gelu-untied", "marian-separate"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace heed
