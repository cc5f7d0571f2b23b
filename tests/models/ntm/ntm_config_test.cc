// SPDX-License-Identifier: Apache-2.0
// config.json of a Neural Turing Machine: what is wrong in it is named.
#include "models/ntm/ntm_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "models/architectures.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class NtmConfigTest : public testing::Test {
 protected:
  // A fixture's directory with one value of a JSON file changed; the model's or the error's text.
  std::string With(const std::string& fixture, const char* pointer, const json& value,
                   const std::string& file = "config.json") {
    std::filesystem::remove_all(directory_.path() / "model");
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, directory_.path() / "model");
    json object = json::parse(directory_.Read("model/" + file));
    object[json::json_pointer(pointer)] = value;
    directory_.Write("model/" + file, object.dump());
    const auto model = LoadModel(directory_.File("model"));
    return model.ok() ? "loaded" : std::string(model.status().message());
  }
  std::string Sequences(const char* pointer, const json& value) { return With("ntm-defaults", pointer, value); }
  std::string Questions(const char* pointer, const json& value) { return With("ntm-questions", pointer, value); }

  TemporaryDirectory directory_;
};

TEST_F(NtmConfigTest, TheFixturesLoad) {
  EXPECT_EQ(Sequences("/model_type", "ntm"), "loaded");
  EXPECT_EQ(Questions("/model_type", "ntm"), "loaded");
}

TEST_F(NtmConfigTest, WrongFieldsAreNamedWithTheirValues) {
  EXPECT_THAT(Sequences("/task", "chess"), HasSubstr("task is \"chess\", which is none of sequences, questions"));
  EXPECT_THAT(Sequences("/slots", 0), HasSubstr("slots is 0"));
  EXPECT_THAT(Sequences("/slots", (1 << 20) + 1), HasSubstr("slots is 1048577"));
  EXPECT_THAT(Sequences("/heads", {"read"}), HasSubstr("heads"));
  EXPECT_THAT(Sequences("/heads", {"read", "wipe"}), HasSubstr("\"read\" and \"write\""));
  EXPECT_THAT(Sequences("/heads", 3), HasSubstr("heads is 3"));
  EXPECT_THAT(Sequences("/shifts", {-1, 0, 0}), HasSubstr("shifts"));
  EXPECT_THAT(Sequences("/shifts", {1000}), HasSubstr("shifts"));
  EXPECT_THAT(Sequences("/shifts", {1.5}), HasSubstr("shifts"));
  EXPECT_THAT(Sequences("/shifts", json::array()), HasSubstr("shifts"));
  EXPECT_THAT(Sequences("/order", "backwards"), HasSubstr("order is \"backwards\""));
  EXPECT_THAT(Sequences("/key_activation", "relu"), HasSubstr("key_activation is \"relu\""));
  EXPECT_THAT(Sequences("/cosine", {{"form", "squared"}}), HasSubstr("form is \"squared\""));
  EXPECT_THAT(Sequences("/cosine", {{"epsilon", 0}}), HasSubstr("epsilon is 0"));
  EXPECT_THAT(Sequences("/cosine", {{"eps", 1e-8}}), HasSubstr("no such field"));
  EXPECT_THAT(Sequences("/sharpening", {{"base_epsilon", -1}}), HasSubstr("base_epsilon is -1"));
  EXPECT_THAT(Sequences("/clip", 0), HasSubstr("clip is 0"));
  EXPECT_THAT(Sequences("/controller/type", "gru"), HasSubstr("type is \"gru\", which is none of lstm, feed-forward"));
  EXPECT_THAT(Sequences("/controller/width", "wide"), HasSubstr("width"));
  EXPECT_THAT(Sequences("/output/reads", "old"), HasSubstr("reads is \"old\", which is none of new, previous, none"));
  EXPECT_THAT(Sequences("/frame", {{"task", "sort"}, {"data_width", 2}}), HasSubstr("task is \"sort\""));
  EXPECT_THAT(Sequences("/frame", {{"task", "copy"}, {"data_width", 200}}), HasSubstr("is not input_width"));
  EXPECT_THAT(Questions("/questions/thinking_steps", 0), HasSubstr("thinking_steps is 0"));
  EXPECT_THAT(Questions("/questions/answers", json::array()), HasSubstr("answers"));
  EXPECT_THAT(Questions("/questions/answers", {"a", "a"}), HasSubstr("different strings"));
}

TEST_F(NtmConfigTest, WhatTheTensorsContradictIsNamedWithBothShapes) {
  EXPECT_THAT(Sequences("/controller/width", 999), HasSubstr("controller."));
  EXPECT_THAT(Sequences("/output/width", 99), HasSubstr("fc.weight"));
  EXPECT_THAT(Questions("/questions/max_times", 9), HasSubstr("times.weight"));
  EXPECT_THAT(Questions("/questions/answers", {"yes", "no"}), HasSubstr("answer.1.weight"));
  EXPECT_THAT(Sequences("/heads", {"write", "read"}), HasSubstr("heads.0.fc_write.weight"));
}

TEST_F(NtmConfigTest, WrongVocabulariesAreNamed) {
  const auto vocabulary = [&](const char* word, const json& row) {
    return With("ntm-questions", (std::string("/") + word).c_str(), row, "vocab.json");
  };
  EXPECT_THAT(vocabulary("mary", 0), HasSubstr("both have row 0"));
  EXPECT_THAT(vocabulary("mary", -1), HasSubstr("word 'mary' has row -1"));
  EXPECT_THAT(vocabulary("mary", 1000), HasSubstr("which is not from 0 to"));
  EXPECT_THAT(vocabulary("zoo", 29), HasSubstr("words.weight"));
  EXPECT_THAT(vocabulary("New York", 29), HasSubstr("'New York' is not one word in lower case"));
}

}  // namespace
}  // namespace heed
