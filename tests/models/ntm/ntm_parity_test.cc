// SPDX-License-Identifier: Apache-2.0
// Neural Turing Machines against the recipes' PyTorch model: every directory tests/fixtures/ntm-*.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "models/architectures.h"
#include "models/kinds/question_answerer.h"
#include "models/kinds/sequence_model.h"
#include "models/ntm/neural_turing_machine.h"
#include "models/ntm/ntm_story.h"
#include "nlohmann/json.hpp"
#include "tests/support/advance.h"

namespace heed {
namespace {

// PyTorch computed in double: what is left is our rounding, fed back over up to ten steps. Relative to 1.
constexpr double kTolerance = 3e-5;

std::vector<std::string> Fixtures(bool questions) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/tests/fixtures")) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("ntm-", 0) == 0 && std::filesystem::exists(entry.path() / "story.json") == questions) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class NtmParity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    directory_ = std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam();
    auto model = LoadModel(directory_);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    auto expected = SafetensorsFile::Open(directory_ + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status();
    expected_ = std::make_unique<SafetensorsFile>(std::move(*expected));
  }

  std::vector<int64_t> Shape(const std::string& name) const { return expected_->Find(name)->shape; }
  // What the tensor holds of step t, its first dimension; nothing if there is no such tensor.
  std::vector<float> Expected(const std::string& name, int64_t t) const {
    const StoredTensor* tensor = expected_->Find(name);
    if (tensor == nullptr) return {};
    const std::vector<float> all = ReadFloats(*tensor);
    const int64_t size = static_cast<int64_t>(all.size()) / tensor->shape[0];
    return {all.begin() + t * size, all.begin() + (t + 1) * size};
  }
  // The state after step t, as MachineState::Values.
  std::vector<float> ExpectedState(int64_t t) const {
    std::vector<float> values;
    for (const char* part : {"memory", "weights", "reads", "hidden", "cell"}) {
      const std::vector<float> some = Expected(part, t);
      values.insert(values.end(), some.begin(), some.end());
    }
    return values;
  }

  static void ExpectNear(const std::vector<float>& got, const std::vector<float>& expected, const std::string& what) {
    ASSERT_EQ(got.size(), expected.size()) << what;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], kTolerance * std::max(1.0f, std::abs(expected[i]))) << what << " " << i;
    }
  }

  std::string directory_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<SafetensorsFile> expected_;
  Context context_{1};
};

using NtmSequenceParity = NtmParity;
using NtmQuestionParity = NtmParity;

TEST_P(NtmSequenceParity, OutputsAgree) {
  const auto& model = dynamic_cast<const SequenceModel&>(*model_);
  const int64_t steps = Shape("inputs")[0];
  auto task = model.Start({model.input_width(), ReadFloats(*expected_->Find("inputs")), {}, {}});
  ASSERT_TRUE(task.ok()) << task.status();
  Advance(model, {task->get()}, context_);
  ASSERT_TRUE((*task)->error().ok()) << (*task)->error();
  const SequenceResult& result = (*task)->result();
  ASSERT_EQ(static_cast<int64_t>(result.values.size()), steps * result.width);
  ExpectNear(result.values, ReadFloats(*expected_->Find("outputs")), "output");
}

TEST_P(NtmSequenceParity, EveryStateAgrees) {
  auto fields = JsonFields::Read(directory_ + "/config.json");
  ASSERT_TRUE(fields.ok());
  auto config = ParseNtmConfig(*fields);
  ASSERT_TRUE(config.ok()) << config.status();
  auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok());
  const WeightReader tensors(*checkpoint);
  auto machine = NeuralTuringMachine::Load(config->machine, tensors);
  ASSERT_TRUE(machine.ok()) << machine.status();
  MachineState state = machine->InitialState();
  Matrix hidden(1, config->machine.controller.width);
  for (int64_t t = 0; t < Shape("inputs")[0]; ++t) {
    const std::vector<float> x = Expected("inputs", t);
    const MachineRow row = {x.data(), &state};
    machine->Step(absl::MakeConstSpan(&row, 1), hidden.view(), context_);
    ExpectNear(state.Values(), ExpectedState(t), "state after step " + std::to_string(t));
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, NtmSequenceParity, testing::ValuesIn(Fixtures(false)), NameOf);

TEST_P(NtmQuestionParity, AnswersReadsAndStatesAgree) {
  const auto& model = dynamic_cast<const QuestionAnswerer&>(*model_);
  std::ifstream stream(directory_ + "/story.json");
  const nlohmann::json story = nlohmann::json::parse(stream);
  StoryRequest request;
  std::vector<std::string> unknown;
  for (const auto& fact : story["facts"]) {
    request.facts.push_back(fact["text"]);
    for (const std::string word : fact["unknown"]) {
      if (std::find(unknown.begin(), unknown.end(), word) == unknown.end()) unknown.push_back(word);
    }
  }
  for (const auto& question : story["questions"]) {
    request.questions.push_back({question["text"], question["after"].get<int64_t>()});
  }
  request.top = 0;
  request.return_reads = true;
  auto task = model.Start(request);
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ((*task)->unknown_words(), unknown);
  Advance(model, {task->get()}, context_);
  ASSERT_TRUE((*task)->error().ok()) << (*task)->error();

  std::ifstream config_stream(directory_ + "/config.json");
  const std::vector<std::string> classes = nlohmann::json::parse(config_stream)["questions"]["answers"];
  for (size_t q = 0; q < request.questions.size(); ++q) {
    const QuestionAnswer& answer = (*task)->answers()[q];
    SCOPED_TRACE(request.questions[q].text);
    EXPECT_EQ(answer.unknown_words, story["questions"][q]["unknown"].get<std::vector<std::string>>());
    const std::vector<float> logits = Expected("logits", static_cast<int64_t>(q));
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    ASSERT_EQ(answer.candidates.size(), classes.size());
    for (const AnswerCandidate& candidate : answer.candidates) {
      const auto at = std::find(classes.begin(), classes.end(), candidate.text) - classes.begin();
      EXPECT_NEAR(candidate.probability, std::exp(static_cast<double>(logits[static_cast<size_t>(at)])) / sum,
                  kTolerance);
    }
    EXPECT_TRUE(std::is_sorted(answer.candidates.begin(), answer.candidates.end(),
                               [](const auto& a, const auto& b) { return a.probability > b.probability; }));
    std::vector<float> weights;
    for (const HeadRead& read : answer.reads) weights.insert(weights.end(), read.weights.begin(), read.weights.end());
    ExpectNear(weights, Expected("read_weights", static_cast<int64_t>(q)), "read weights");
  }

  // Fact by fact, each on the state that the one before left.
  std::shared_ptr<const State> state;
  for (size_t t = 0; t < request.facts.size(); ++t) {
    StoryRequest tell;
    tell.state = state;
    tell.facts = {request.facts[t]};
    auto told = model.Start(tell);
    ASSERT_TRUE(told.ok()) << told.status();
    Advance(model, {told->get()}, context_);
    state = (*told)->state();
    ASSERT_NE(state, nullptr);
    ExpectNear(dynamic_cast<const NtmState&>(*state).machine.Values(), ExpectedState(static_cast<int64_t>(t)),
               "state after fact " + std::to_string(t));
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, NtmQuestionParity, testing::ValuesIn(Fixtures(true)), NameOf);

}  // namespace
}  // namespace heed
