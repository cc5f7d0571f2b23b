// SPDX-License-Identifier: Apache-2.0
#include "models/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

#include "models/kinds/sequence_model.h"
#include "nlohmann/json.hpp"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/fake_translator.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::HasSubstr;

class ProbeOfFixture : public testing::TestWithParam<const char*> {};

TEST_P(ProbeOfFixture, Passes) {
  const auto model = LoadProbedModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam(), "fixture");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->spec().name, "fixture");
}

INSTANTIATE_TEST_SUITE_P(Kinds, ProbeOfFixture,
                         testing::Values("marian-relu", "ntm-questions", "ntm-cell", "pyg-gat", "pyg-sparse-gat",
                                         "pyg-gat-edge-features-mean", "pyg-edge-dot", "pyg-pool-attention",
                                         "pyg-pool-sum-empty-graphs"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Answers every row with one number.
class OneNumber : public SequenceModel {
 public:
  explicit OneNumber(float number, bool ends = true) : number_(number), ends_(ends) { spec_.name = "one-number"; }
  const ModelSpec& spec() const override { return spec_; }
  int64_t input_width() const override { return 3; }
  int64_t output_width() const override { return 1; }
  int64_t data_width() const override { return 0; }
  absl::StatusOr<std::unique_ptr<SequenceTask>> Start(SequenceRequest) const override {
    return std::make_unique<OneTask>();
  }
  void Step(absl::Span<Task* const> tasks, Context&) const override {
    for (Task* task : tasks) static_cast<OneTask*>(task)->Advance(number_, ends_);
  }

 private:
  class OneTask : public SequenceTask {
   public:
    int64_t next_rows() const override { return 1; }
    int64_t peak_bytes() const override { return 1; }
    bool has_output() const override { return finished(); }
    const SequenceResult& result() const override { return result_; }
    void Advance(float number, bool ends) {
      result_.width = 1;
      result_.values = {0, number};
      if (ends) Finish();
    }

   private:
    SequenceResult result_;
  };

  ModelSpec spec_;
  const float number_;
  const bool ends_;
};

std::string Error(const Model& model) {
  Context context(1);
  const absl::Status status = Probe(model, context);
  EXPECT_EQ(status.code(), status.ok() ? absl::StatusCode::kOk : absl::StatusCode::kInternal);
  return std::string(status.message());
}

TEST(Probe, WhatIsNoNumberFails) {
  EXPECT_EQ(Error(OneNumber(1)), "");
  EXPECT_THAT(Error(OneNumber(std::numeric_limits<float>::quiet_NaN())),
              HasSubstr("one-number: a first input failed: outputs[1] is nan"));
  EXPECT_THAT(Error(OneNumber(std::numeric_limits<float>::infinity())), HasSubstr("outputs[1] is inf"));
}

// Its features and edge features meet every weight of the first layer: weights of 1e38 give what is no number.
TEST(Probe, WeightsOfTheFirstLayerAreMet) {
  for (const char* fixture : {"pyg-gat", "pyg-sparse-gat", "pyg-gcn", "pyg-gat-edge-features-mean"}) {
    const TemporaryDirectory directory;
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, directory.path() / "model");
    std::string bytes = directory.Read("model/model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    const auto header = nlohmann::json::parse(bytes.substr(8, length));
    for (const auto& [name, tensor] : header.items()) {
      if (name.find("1.lin.weight") == std::string::npos && name.find("1.lin_edge.weight") == std::string::npos)
        continue;
      const float large = 3e38f;
      for (size_t at = tensor["data_offsets"][0]; at < tensor["data_offsets"][1]; at += 4) {
        std::memcpy(bytes.data() + 8 + length + at, &large, 4);
      }
    }
    directory.Write("model/model.safetensors", bytes);
    EXPECT_THAT(std::string(LoadProbedModel(directory.File("model"), "large").status().message()),
                HasSubstr("a first input failed"))
        << fixture;
  }
}

TEST(Probe, ModelThatNeverEndsFails) {
  EXPECT_THAT(Error(OneNumber(1, /*ends=*/false)), HasSubstr("has not ended after 1000 steps"));
}

TEST(Probe, TypedFrontsPass) {
  EXPECT_EQ(Error(FakeTranslator()), "");
  EXPECT_EQ(Error(FakeQuestionAnswerer()), "");
}

}  // namespace
}  // namespace heed
