// SPDX-License-Identifier: Apache-2.0
// From the precision that is asked for to what a loaded model says of itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "models/kinds/served_precision.h"
#include "models/probe.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<const Model> Load(const std::string& fixture, Precision precision) {
  auto model = LoadProbedModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, "model", precision);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

class PrecisionOfNetwork : public testing::TestWithParam<const char*> {};

TEST_P(PrecisionOfNetwork, IsWhatIsAsked) {
  for (const Precision asked : {Precision::kF32, Precision::kInt8}) {
    const auto model = Load(GetParam(), asked);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->spec().precision, asked);
    EXPECT_EQ(model->spec().kernel, KernelName(asked));
    for (const std::string& warning : model->spec().warnings) EXPECT_EQ(warning.find("asked for"), warning.npos);
  }
}

TEST_P(PrecisionOfNetwork, Bf16IsSaidWhereTheMachineLacksIt) {
  const auto model = Load(GetParam(), Precision::kBf16);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->spec().precision, PrecisionHere(Precision::kBf16));
  if (model->spec().precision == Precision::kBf16) return;
  EXPECT_THAT(model->spec().warnings, testing::Contains(HasSubstr("bf16 was asked for; this machine")));
}

INSTANTIATE_TEST_SUITE_P(Architectures, PrecisionOfNetwork,
                         testing::Values("marian-relu", "rnn-opennmt-3-lstm-general", "transformer-xl-segments",
                                         "xlnet-lm"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(Precision, OfModelsThatHaveOnlyF32) {
  const std::pair<const char*, const char*> cases[] = {{"ntm-questions", "a Neural Turing Machine"},
                                                       {"ntm-cell", "a Neural Turing Machine"},
                                                       {"pyg-gat", "a graph network"}};
  for (const auto& [fixture, what] : cases) {
    const auto exact = Load(fixture, Precision::kF32), asked = Load(fixture, Precision::kInt8);
    ASSERT_TRUE(exact != nullptr && asked != nullptr);
    EXPECT_THAT(exact->spec().warnings, IsEmpty());
    EXPECT_EQ(asked->spec().precision, Precision::kF32);
    EXPECT_EQ(asked->spec().kernel, KernelName(Precision::kF32));
    EXPECT_THAT(asked->spec().warnings, ElementsAre(absl::StrCat("int8 was asked for; ", what, " is computed in f32")));
    EXPECT_EQ(asked->spec().fingerprint, exact->spec().fingerprint);
  }
}

// A session is kept under its model's fingerprint: that of f32 is the one of the files alone, as it always was.
TEST(Precision, IsAPartOfTheFingerprint) {
  for (const char* fixture : {"transformer-xl-segments", "xlnet-lm"}) {
    const auto exact = Load(fixture, Precision::kF32), reduced = Load(fixture, Precision::kInt8);
    ASSERT_TRUE(exact != nullptr && reduced != nullptr);
    EXPECT_EQ(exact->spec().fingerprint.size(), 32u);
    EXPECT_EQ(reduced->spec().fingerprint, exact->spec().fingerprint + "-int8");
  }
  // A translator keeps no sessions.
  EXPECT_EQ(Load("marian-relu", Precision::kInt8)->spec().fingerprint, "");
}

TEST(Precision, PartsOfAFingerprint) {
  const char* const cases[][3] = {{"0123abcd", "0123abcd", "f32"},
                                  {"0123abcd-int8", "0123abcd", "int8"},
                                  {"0123abcd-bf16", "0123abcd", "bf16"},
                                  {"my-print", "my-print", "f32"},
                                  {"", "", "f32"}};
  for (const auto& [fingerprint, weights, precision] : cases) {
    const FingerprintParts parts{fingerprint};
    EXPECT_EQ(parts.weights, weights);
    EXPECT_EQ(parts.precision, precision);
  }
}

}  // namespace
}  // namespace heed
