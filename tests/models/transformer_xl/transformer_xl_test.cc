// SPDX-License-Identifier: Apache-2.0
// The model of a Transformer-XL's directory: what transformers 4.30.2 generates and classifies, embeddings, errors.
#include "models/transformer_xl/transformer_xl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "models/architectures.h"
#include "nlohmann/json.hpp"
#include "tests/support/advance.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class XlModel : public testing::Test {
 protected:
  static std::string Fixture(const std::string& name) {
    return absl::StrCat(HEED_SOURCE_DIR, "/tests/fixtures/transformer-xl-", name);
  }
  void Load(const std::string& name) {
    auto model = LoadModel(Fixture(name), "xl");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = ModelAs<LanguageModel>(*model);
    auto expected = SafetensorsFile::Open(Fixture(name) + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status();
    expected_ = std::make_unique<SafetensorsFile>(std::move(*expected));
  }
  // The words of a tensor's ids, as the fixtures' vocab.txt has them.
  std::vector<std::string> Words(absl::string_view name, int64_t first = 0, int64_t last = -1) const {
    const StoredTensor& ids = *expected_->Find(name);
    std::vector<std::string> words;
    for (int64_t i = first; i < (last < 0 ? ids.size() : last); ++i) {
      const int64_t id = ids.IndexAt(i);
      words.push_back(id == 0 ? "<eos>" : id == 1 ? "<unk>" : absl::StrCat("w", id));
    }
    return words;
  }
  static std::string Joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) absl::StrAppend(&text, text.empty() ? "" : " ", word);
    return text;
  }
  GenerateRequest Prompt(int max_tokens) const {
    GenerateRequest request;
    request.prompt = Joined(Words("prompt"));
    request.options.text.special_tokens = true;
    request.options.max_tokens = max_tokens;
    request.options.ban_unknown = false;
    request.options.stop_loops = false;
    request.options.return_tokens = true;
    return request;
  }
  template <typename T>
  std::unique_ptr<T> RunToEnd(absl::StatusOr<std::unique_ptr<T>> task) {
    EXPECT_TRUE(task.ok()) << task.status();
    Advance(*model_, {task->get()}, context_);
    EXPECT_TRUE((*task)->error().ok()) << (*task)->error();
    return *std::move(task);
  }

  std::shared_ptr<const LanguageModel> model_;
  std::unique_ptr<SafetensorsFile> expected_;
  Context context_{2};
};

TEST_F(XlModel, GreedyTextsAreTransformers) {
  for (const char* name : {"same-length", "segments", "clamped", "one-bin", "four-bins", "half", "pre-norm"}) {
    Load(name);
    const std::vector<std::string> expected = Words("greedy");
    GenerateRequest request = Prompt(static_cast<int>(expected.size()));
    request.options.stop_at_end = false;
    if (std::string(name) == "segments") request.options.mode = GenerateMode::kAsHuggingFace;
    const auto task = RunToEnd(model_->StartGenerate(std::move(request), {}));
    std::vector<std::string> found;
    for (const TokenScore& token : task->result().texts[0].tokens) found.push_back(token.token);
    EXPECT_EQ(found, expected) << name;
  }
}

TEST_F(XlModel, BeamsAreTransformers) {
  for (const char* name : {"same-length", "one-bin-projected", "untied"}) {
    Load(name);
    const std::vector<float> scores = ReadFloats(*expected_->Find("beam_scores"));
    const int64_t length = expected_->Find("beams")->shape[1];
    GenerateRequest request = Prompt(40);
    request.options.stop_at_end = true;
    request.options.length_penalty = 0;
    request.options.beam_size = request.options.n_best = static_cast<int>(scores.size());
    const auto task = RunToEnd(model_->StartGenerate(std::move(request), {}));
    ASSERT_EQ(task->result().texts.size(), scores.size()) << name;
    for (size_t k = 0; k < scores.size(); ++k) {
      const GeneratedText& text = task->result().texts[k];
      // Behind the end of a text the fixture is filled up with "<eos>".
      std::vector<std::string> expected =
          Words("beams", static_cast<int64_t>(k) * length, static_cast<int64_t>(k + 1) * length);
      while (expected.size() > 1 && expected.back() == "<eos>" && expected[expected.size() - 2] == "<eos>") {
        expected.pop_back();
      }
      std::vector<std::string> found;
      for (const TokenScore& token : text.tokens) found.push_back(token.token);
      EXPECT_EQ(found, expected) << name << " " << k;
      EXPECT_NEAR(text.score, scores[k], 1e-3) << name << " " << k;
    }
  }
}

TEST_F(XlModel, ClassesAreTransformers) {
  Load("classifier");
  EXPECT_FALSE(model_->uses().score);
  for (int k = 0; expected_->Find(absl::StrCat("text.", k)) != nullptr; ++k) {
    const std::vector<float> logits = ReadFloats(*expected_->Find(absl::StrCat("logits.", k)));
    TextClassificationRequest request;
    request.text = Joined(Words(absl::StrCat("text.", k)));
    request.text_options.special_tokens = true;
    request.top = 0;
    request.function = LabelFunction::kNone;
    request.return_attention = true;
    const auto task = RunToEnd(model_->StartClassify(request, {}));
    const TextClassification& result = task->result();
    ASSERT_EQ(result.labels.size(), logits.size());
    for (const TextLabel& label : result.labels) {
      const size_t index = static_cast<size_t>(label.label.back() - '0');
      EXPECT_EQ(label.label, absl::StrCat("label ", index));
      EXPECT_NEAR(label.score, logits[index], 2e-5);
    }
    EXPECT_EQ(result.attention.rows, 1);
    EXPECT_EQ(result.attention.columns, 1 + result.tokens);
    float sum = 0;
    for (const float weight : result.attention.weights) sum += weight;
    EXPECT_NEAR(sum, 1, 1e-5);
    request.function = LabelFunction::kModel;
    request.return_attention = false;
    float all = 0;
    const auto again = RunToEnd(model_->StartClassify(request, {}));
    for (const TextLabel& label : again->result().labels) all += label.score;
    EXPECT_NEAR(all, 1, 1e-5);
  }
}

TEST_F(XlModel, LongTextsAreRefusedCutOrReadInWindows) {
  Load("classifier");
  TextClassificationRequest request;
  request.text = "w2 w3 w4 w5 w6 w7 w8 w9 w10 w11";
  request.max_tokens = 4;
  EXPECT_THAT(model_->StartClassify(request, {}).status().ToString(),
              AllOf(HasSubstr("text"), HasSubstr("10 tokens"), HasSubstr("max_tokens is 4")));
  request.overlong = Overlong::kTruncate;
  const auto cut = RunToEnd(model_->StartClassify(request, {}));
  EXPECT_TRUE(cut->result().truncated);
  EXPECT_EQ(cut->result().tokens, 4);
  TextClassificationRequest first = request;
  first.text = "w2 w3 w4 w5";
  EXPECT_EQ(cut->result().labels[0].score, RunToEnd(model_->StartClassify(first, {}))->result().labels[0].score);
  request.overlong = Overlong::kWindows;
  request.top = 0;
  double average = 0;
  const std::string label = RunToEnd(model_->StartClassify(request, {}))->result().labels[0].label;
  for (const char* window : {"w2 w3 w4 w5", "w4 w5 w6 w7", "w6 w7 w8 w9", "w8 w9 w10 w11"}) {
    first.text = window;
    first.top = 0;
    const auto part = RunToEnd(model_->StartClassify(first, {}));
    for (const TextLabel& one : part->result().labels) {
      if (one.label == label) average += one.score / 4;
    }
  }
  EXPECT_NEAR(RunToEnd(model_->StartClassify(request, {}))->result().labels[0].score, average, 1e-6);
  request.text = " ";
  EXPECT_THAT(model_->StartClassify(request, {}).status().ToString(), HasSubstr("has no tokens"));
  request.text = "w2";
  request.pair = "w3";
  EXPECT_THAT(model_->StartClassify(request, {}).status().ToString(), HasSubstr("pair"));
}

TEST_F(XlModel, EmbeddingsAreHiddenStates) {
  Load("segments");
  const StoredTensor& stored = *expected_->Find("states");  // [layers + 1, tokens, d_model]
  const std::vector<float> states = ReadFloats(stored);
  const int64_t count = stored.shape[1], d = stored.shape[2];
  EmbedRequest request;
  request.text = Joined(Words("tokens", 0, count));
  request.text_options.special_tokens = true;
  for (int layer = 0; layer < static_cast<int>(stored.shape[0]); ++layer) {
    const float* expected = states.data() + layer * count * d;
    request.layer = layer == 1 ? -3 : layer;  // of three
    request.pooling = Pooling::kTokens;
    request.return_attention = true;
    const auto tokens = RunToEnd(model_->StartEmbed(request, {}));
    ASSERT_EQ(static_cast<int64_t>(tokens->result().values.size()), count * d);
    for (int64_t i = 0; i < count * d; ++i) {
      EXPECT_NEAR(tokens->result().values[static_cast<size_t>(i)], expected[i], 2e-5);
    }
    EXPECT_EQ(tokens->result().attention.rows, count);
    request.return_attention = false;
    request.pooling = Pooling::kLast;
    const auto last = RunToEnd(model_->StartEmbed(request, {}));
    request.pooling = Pooling::kMean;
    request.normalize = true;
    const auto mean = RunToEnd(model_->StartEmbed(request, {}));
    request.normalize = false;
    double length = 0;
    for (int64_t k = 0; k < d; ++k) {
      EXPECT_NEAR(last->result().values[static_cast<size_t>(k)], expected[(count - 1) * d + k], 2e-5);
      length += std::pow(mean->result().values[static_cast<size_t>(k)], 2);
    }
    EXPECT_NEAR(length, 1, 1e-5);
  }
  request.layer = 4;
  EXPECT_THAT(model_->StartEmbed(request, {}).status().ToString(), AllOf(HasSubstr("layer"), HasSubstr("-4 to 3")));
}

TEST_F(XlModel, SessionsGoOnToTheSameScores) {
  for (const char* name : {"same-length", "segments"}) {
    Load(name);
    ScoreRequest whole;
    whole.text = Joined(Words("tokens", 0, 300));
    whole.options.text.special_tokens = true;
    whole.options.return_tokens = true;
    const auto expected = RunToEnd(model_->StartScore(whole, {}));
    std::shared_ptr<const State> state = model_->NewState();
    std::vector<float> found;
    for (int64_t first = 0; first < 300; first += 75) {
      ScoreRequest part = whole;
      part.state = state;
      part.keep_state = true;
      part.text = Joined(Words("tokens", first, first + 75));
      const auto task = RunToEnd(model_->StartScore(part, {}));
      for (const TokenScore& token : task->result().token_scores) {
        if (token.log_probability) found.push_back(*token.log_probability);
      }
      auto copy = model_->ParseState(task->state()->Serialize());
      ASSERT_TRUE(copy.ok()) << copy.status();
      state = *copy;
      EXPECT_EQ(state->units(), first + 75);
    }
    std::vector<float> all;
    for (const TokenScore& token : expected->result().token_scores) {
      if (token.log_probability) all.push_back(*token.log_probability);
    }
    EXPECT_EQ(found, all) << name;
  }
}

TEST_F(XlModel, ProbesPass) {
  for (const char* name : {"same-length", "classifier", "pre-norm-segments"}) {
    Load(name);
    EXPECT_TRUE(model_->Probe(context_).ok()) << name;
  }
}

class XlDamaged : public XlModel {
 protected:
  std::string With(const std::string& fixture, const std::string& field, const nlohmann::json& value) {
    std::filesystem::remove_all(directory_.path() / "model");
    std::filesystem::copy(Fixture(fixture), directory_.path() / "model");
    nlohmann::json config = nlohmann::json::parse(directory_.Read("model/config.json"));
    config[field] = value;
    directory_.Write("model/config.json", config.dump());
    const auto model = LoadModel(directory_.File("model"));
    return model.ok() ? "loaded" : model.status().ToString();
  }
  TemporaryDirectory directory_;
};

TEST_F(XlDamaged, WrongFieldsAreNamed) {
  const auto names = [](const char* field, const char* what) { return AllOf(HasSubstr(field), HasSubstr(what)); };
  EXPECT_EQ(With("untied", "dropout", 0.5), "loaded");
  EXPECT_THAT(With("untied", "attn_type", 2), names("attn_type is 2", "UNIMPLEMENTED"));
  EXPECT_THAT(With("untied", "sample_softmax", 100), names("sample_softmax is 100", "UNIMPLEMENTED"));
  EXPECT_THAT(With("untied", "mem_len", 0), names("mem_len is 0", "same_length"));
  EXPECT_THAT(With("untied", "mem_len", -1), names("mem_len is -1", ""));
  EXPECT_THAT(With("untied", "cutoffs", {40, 20}), names("cutoffs is a list", "ascending"));
  EXPECT_THAT(With("untied", "cutoffs", {20, 60}), names("cutoffs is a list", "60"));
  EXPECT_THAT(With("untied", "cutoffs", "many"), names("cutoffs is \"many\"", "list"));
  EXPECT_THAT(With("untied", "d_model", 15), names("d_model is 15", "odd"));
  EXPECT_THAT(With("untied", "div_val", 5), names("div_val is 5", "d_embed is 16"));
  EXPECT_THAT(With("untied", "tie_projs", {true}), names("tie_projs is a list", "3 bins"));
  EXPECT_THAT(With("untied", "n_token", 61), names("n_token is 61", "vocab_size"));
  EXPECT_THAT(With("untied", "initial_memory", "ones"), names("initial_memory is \"ones\"", "zeros, empty"));
  EXPECT_THAT(With("untied", "vocab_size", 61), names("61", "60"));
  EXPECT_THAT(With("untied", "d_inner", 25), names("CoreNet.0.weight", "[25, 16]"));
  EXPECT_THAT(With("untied", "n_layer", 2), names("layers.2.", "belongs to nothing"));
  EXPECT_THAT(With("untied", "n_layer", 4), names("layers.3.", "is missing"));
  EXPECT_THAT(With("untied", "tie_word_embeddings", true), names("tie_word_embeddings", "emb_layers.0.weight"));
  EXPECT_THAT(With("untied", "tie_projs", {false, true, true}), names("tie_projs", "crit.out_projs.1"));
  EXPECT_THAT(With("classifier", "id2label", {{"0", "a"}, {"1", "b"}}), names("id2label", "3 labels"));
  EXPECT_THAT(With("classifier", "id2label", {"a", "b", "c"}), names("id2label", "not an object"));
  EXPECT_THAT(With("classifier", "problem_type", "poetry"), names("problem_type is \"poetry\"", "regression"));
}

TEST_F(XlDamaged, AnEmptyMemoryGivesOtherScoresUntilItIsFull) {
  ASSERT_EQ(With("same-length", "initial_memory", "empty"), "loaded");
  auto empty = LoadModel(directory_.File("model"), "empty");
  ASSERT_TRUE(empty.ok());
  Load("same-length");
  const std::string text = Joined(Words("tokens", 0, 200));
  std::vector<std::vector<float>> scores;
  for (const auto& model : {model_, ModelAs<LanguageModel>(*empty)}) {
    ScoreRequest request;
    request.text = text;
    request.options.text.special_tokens = true;
    request.options.return_tokens = true;
    auto task = model->StartScore(request, {});
    ASSERT_TRUE(task.ok());
    Advance(*model, {task->get()}, context_);
    scores.emplace_back();
    for (const TokenScore& token : (*task)->result().token_scores)
      scores.back().push_back(token.log_probability.value_or(0));
  }
  EXPECT_GT(std::abs(scores[0][1] - scores[1][1]), 1e-4);
  // Three layers whose memory has 20 tokens reach back 60.
  for (size_t i = 70; i < scores[0].size(); ++i) EXPECT_EQ(scores[0][i], scores[1][i]) << i;
}

}  // namespace
}  // namespace heed
