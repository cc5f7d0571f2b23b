// SPDX-License-Identifier: Apache-2.0
// config.json of recurrent translators: each contradiction is refused with the field and both values.
#include "models/translation/rnn_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "files/checkpoint.h"
#include "models/translation/rnn_network.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class RnnConfigTest : public testing::Test {
 protected:
  void Copy(const std::string& fixture) {
    std::filesystem::remove_all(directory_.path() / "model");
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, directory_.path() / "model");
  }
  // Loads the network of a fixture after `patch` (a JSON merge patch) was applied to its config.json.
  std::string With(const std::string& fixture, const json& patch, const char* file = "config.json") {
    Copy(fixture);
    const std::string path = std::string("model/") + file;
    json object = json::parse(directory_.Read(path));
    object.merge_patch(patch);
    directory_.Write(path, object.dump());
    return Load();
  }
  std::string Load() {
    const std::string directory = directory_.File("model");
    auto fields = JsonFields::Read(directory + "/config.json");
    if (!fields.ok()) return fields.status().ToString();
    const auto config = ReadRnnConfig(directory, *fields);
    if (!config.ok()) return config.status().ToString();
    const auto checkpoint = Checkpoint::Open(directory);
    if (!checkpoint.ok()) return checkpoint.status().ToString();
    const auto network = RnnNetwork::Load(*checkpoint, *config);
    return network.ok() ? "loaded" : network.status().ToString();
  }

  TemporaryDirectory directory_;
};

constexpr char kMlp[] = "rnn-reference-joeynmt-mlp";  // GRU, two decoder layers, attention after, feeding
constexpr char kNone[] = "rnn-reference-opennmt-none";
constexpr char kBefore[] = "rnn-reference-before-dot";
constexpr char kBetween[] = "rnn-reference-nematus";
constexpr char kGeneral[] = "rnn-reference-opennmt-general";
constexpr char kTied[] = "rnn-reference-tied-scaled";

TEST_F(RnnConfigTest, TheFixturesThemselvesLoad) {
  for (const char* fixture : {kMlp, kNone, kBefore, kBetween, kGeneral, kTied}) {
    EXPECT_EQ(With(fixture, json::object()), "loaded") << fixture;
  }
}

TEST_F(RnnConfigTest, MissingFieldsAreNamed) {
  for (const char* field : {"cell", "encoder", "decoder", "init", "readout", "source", "target"}) {
    EXPECT_THAT(With(kMlp, {{field, nullptr}}), HasSubstr(std::string("config.json: ") + field + " is missing"));
  }
  EXPECT_THAT(With(kMlp, {{"encoder", {{"vocabulary", nullptr}}}}), HasSubstr("encoder: vocabulary is missing"));
  EXPECT_THAT(With(kMlp, {{"decoder", {{"hidden_size", nullptr}}}}), HasSubstr("decoder: hidden_size is missing"));
  EXPECT_THAT(With(kMlp, {{"init", {{"from", nullptr}}}}), HasSubstr("init: from is missing"));
  EXPECT_THAT(With(kMlp, {{"attention", {{"when", nullptr}}}}), HasSubstr("attention: when is missing"));
  EXPECT_THAT(With(kMlp, {{"attention", {{"width", nullptr}}}}), HasSubstr("attention: width is missing"));
  EXPECT_THAT(With(kMlp, {{"context_vector", {{"bias", nullptr}}}}), HasSubstr("context_vector: bias is missing"));
  EXPECT_THAT(With(kMlp, {{"readout", {{"inputs", nullptr}}}}), HasSubstr("readout: inputs is missing"));
  EXPECT_THAT(With(kMlp, {{"target", {{"start", nullptr}}}}), HasSubstr("target: start is missing"));
  EXPECT_THAT(With(kMlp, {{"target", {{"end", nullptr}}}}), HasSubstr("target: end is missing"));
}

TEST_F(RnnConfigTest, UnknownFieldsAndValuesAreNamed) {
  EXPECT_THAT(With(kMlp, {{"cell", "sru"}}), HasSubstr("cell is \"sru\", which is none of gru, lstm"));
  EXPECT_THAT(With(kMlp, {{"encoder", {{"dropout", 0.3}}}}),
              HasSubstr("encoder: dropout is 0.3, but there is no such field; there are: vocabulary, embedding_width"));
  EXPECT_THAT(With(kMlp, {{"attention", {{"score", "bilinear"}}}}), HasSubstr("which is none of dot, general, mlp"));
  EXPECT_THAT(With(kMlp, {{"init", {{"from", "first"}}}}),
              HasSubstr("from is \"first\", which is none of zeros, layers"));
  EXPECT_THAT(With(kMlp, {{"encoder", 3}}), HasSubstr("encoder is 3, which is not an object"));
  EXPECT_THAT(With(kMlp, {{"encoder", {{"layers", 65}}}}), HasSubstr("layers is 65, which is not a whole number"));
  for (const json& inputs : {json("embedding"), json::array(), json({"embedding", "embedding"}), json({"memory"})}) {
    EXPECT_THAT(With(kMlp, {{"decoder", {{"inputs", inputs}}}}), HasSubstr("which is not a list of different parts"));
  }
}

TEST_F(RnnConfigTest, PartsThatAreNotThereAreRefused) {
  const auto inputs = [](const json& list) { return json{{"decoder", {{"inputs", list}}}}; };
  const auto readout = [](const json& list) { return json{{"readout", {{"inputs", list}}}}; };
  EXPECT_THAT(With(kMlp, inputs({"embedding", "context"})),
              HasSubstr("but context comes before the cell only if attention.when is before"));
  EXPECT_THAT(With(kBefore, inputs({"feed", "embedding"})), HasSubstr("but feed needs context_vector or no attention"));
  EXPECT_THAT(With(kMlp, inputs({"state"})), HasSubstr("but state is this step's result"));
  EXPECT_THAT(With(kMlp, inputs({"context_vector"})), HasSubstr("the step before's is feed"));
  EXPECT_THAT(With(kNone, readout({"context"})), HasSubstr("but attention is absent"));
  EXPECT_THAT(With(kBefore, readout({"context_vector"})), HasSubstr("but context_vector is absent"));
  EXPECT_THAT(With(kMlp, readout({"feed"})), HasSubstr("but feed is what the step before left"));
}

TEST_F(RnnConfigTest, FieldsThatDoNothingAreRefused) {
  EXPECT_THAT(With(kMlp, {{"init", {{"cell", "own"}}}}), HasSubstr("the network's cell is gru"));
  EXPECT_THAT(With(kMlp, {{"init", {{"linear", false}}}}), HasSubstr("activation is \"tanh\", but linear is not true"));
  EXPECT_THAT(With(kMlp, {{"init", {{"from", "zeros"}}}}), HasSubstr("linear is true, but from is zeros"));
  EXPECT_THAT(With(kMlp, {{"attention", {{"score", "dot"}}}}), HasSubstr("width is 9, but score is not mlp"));
  EXPECT_THAT(With(kMlp, {{"readout", {{"bias", true}}}}), HasSubstr("bias is true, but width is absent"));
  EXPECT_THAT(With(kMlp, {{"attention", nullptr}}), HasSubstr("context_vector is an object, but attention is absent"));
  EXPECT_THAT(With(kMlp, {{"attention", {{"when", "before"}}}}), HasSubstr("but attention.when is before"));
}

TEST_F(RnnConfigTest, WidthsMustMeet) {
  EXPECT_THAT(With(kBefore, {{"encoder", {{"hidden_size", 6}}}}),
              HasSubstr("an encoder's output has 12 and decoder.hidden_size is 10"));
  EXPECT_THAT(With("rnn-reference-none-top-cell", {{"encoder", {{"hidden_size", 9}}}}),
              HasSubstr("from is \"top\", which gives 9 values, but decoder.hidden_size is 10"));
  EXPECT_THAT(With(kNone, {{"decoder", {{"layers", 3}}}}), HasSubstr("encoder.layers is 2 and decoder.layers 3"));
  EXPECT_THAT(
      With("rnn-reference-none-flattened", {{"init", {{"linear", false}, {"activation", nullptr}, {"bias", nullptr}}}}),
      HasSubstr("from is \"flattened\", but linear is not true"));
  EXPECT_THAT(With(kBetween, {{"decoder", {{"layers", 2}}}}),
              HasSubstr("layers is 2, but attention.when is between, which has one layer"));
  EXPECT_THAT(With(kTied, {{"encoder", {{"vocabulary", 12}}}}),
              AllOf(HasSubstr("tied_embeddings is true"), HasSubstr("vocabulary of 12"), HasSubstr("of 13")));
  EXPECT_THAT(With(kTied, {{"context_vector", {{"width", 8}}}}),
              HasSubstr("the output layer reads 8 values and decoder.embedding_width is 7"));
  EXPECT_THAT(With(kTied, {{"init", {{"from", "mean"}, {"cell", "own"}}}}), HasSubstr("cell is \"own\""));
}

TEST_F(RnnConfigTest, TokensMustBeThere) {
  EXPECT_THAT(With(kMlp, {{"source", {{"end", 12}}}}),
              HasSubstr("end is 12, which is not a whole number from 0 to 11"));
  EXPECT_THAT(With(kMlp, {{"target", {{"start", 13}}}}), HasSubstr("start is 13"));
  EXPECT_THAT(With(kMlp, {{"target", {{"start", "zero"}}}}), HasSubstr("start is \"zero\""));
  EXPECT_EQ(With(kMlp, {{"source", {{"special", {0, 1, 11}}}}}), "loaded");
  for (const json& special : {json(1), json({12}), json({-1}), json({"<s>"}), json({1.5})}) {
    EXPECT_THAT(With(kMlp, {{"source", {{"special", special}}}}),
                AllOf(HasSubstr("source: special is "), HasSubstr(", which is not a list of ids below 12")));
  }
  EXPECT_THAT(With(kMlp, {{"target", {{"special", {13}}}}}), HasSubstr("which is not a list of ids below 13"));
  EXPECT_THAT(With(kNone, {{"target", {{"replace_unknown", true}}}}),
              HasSubstr("replace_unknown is true, but attention is absent"));
  EXPECT_THAT(With(kMlp, {{"target", {{"replace_unknown", true}, {"unknown", nullptr}}}}),
              HasSubstr("replace_unknown is true, but unknown is absent"));
  EXPECT_THAT(With(kMlp, {{"eos_token_id", 5}}, "generation_config.json"),
              HasSubstr("/generation_config.json: eos_token_id is 5, but target.end in config.json is 3"));
  EXPECT_THAT(With(kMlp, {{"decoder_start_token_id", 4}}, "generation_config.json"),
              HasSubstr("/generation_config.json: decoder_start_token_id is 4, but target.start in config.json is 2"));
  EXPECT_THAT(With(kMlp, {{"repetition_penalty", 1.2}}, "generation_config.json"), HasSubstr("repetition_penalty"));
}

TEST_F(RnnConfigTest, SettingsOfTheSearchMayBeInConfigJson) {
  Copy(kMlp);
  std::filesystem::remove(directory_.path() / "model/generation_config.json");
  json config = json::parse(directory_.Read("model/config.json"));
  config["eos_token_id"] = 5;
  directory_.Write("model/config.json", config.dump());
  EXPECT_THAT(Load(), HasSubstr("/config.json: eos_token_id is 5, but target.end in config.json is 3"));
}

TEST_F(RnnConfigTest, ADecoderThatStartsWithZerosHasNoFirstToken) {
  EXPECT_EQ(With(kBetween, {{"decoder_start_token_id", 4}}, "generation_config.json"), "loaded");
  EXPECT_EQ(json::parse(directory_.Read("model/config.json"))["target"]["start"], "zeros");
}

TEST_F(RnnConfigTest, OnlyWordsAreReplaced) {
  const json replace = {{"replace_unknown", true}};
  EXPECT_EQ(With(kMlp, {{"target", replace}}), "loaded");
  for (const char* kind : {"bpe", "sentencepiece"}) {
    EXPECT_THAT(With(kMlp, {{"target", replace}, {"tokenizer", {{"kind", kind}}}}),
                HasSubstr(absl::StrCat("target: replace_unknown is true, but tokenizer.kind is \"", kind, "\"")));
  }
}

TEST_F(RnnConfigTest, TensorsMustFitTheFields) {
  EXPECT_THAT(With(kMlp, {{"encoder", {{"embedding_width", 8}}}}),
              AllOf(HasSubstr("'encoder.rnn.weight_ih_l0' has shape [15, 6]"), HasSubstr("[15, 8]")));
  EXPECT_THAT(With(kMlp, {{"encoder", {{"bidirectional", false}}}}),
              AllOf(HasSubstr("'init.hidden.weight' has shape [10, 10]"), HasSubstr("[10, 5]")));
  EXPECT_THAT(With(kMlp, {{"attention", {{"key_bias", true}}}}),
              HasSubstr("'attention.key.bias' of shape [9] is missing"));
  EXPECT_THAT(With(kGeneral, {{"output_bias", false}}),
              HasSubstr("tensor 'output.bias' [13] belongs to nothing that config.json names"));
  EXPECT_THAT(With(kGeneral, {{"context_vector", {{"bias", true}}}}),
              HasSubstr("'context_vector.bias' of shape [10] is missing"));
  EXPECT_THAT(With(kMlp, {{"attention", {{"score", "general"}, {"width", nullptr}}}}),
              HasSubstr("attention.key.weight, but the file holds both"));
  EXPECT_THAT(With("rnn-reference-after-no-vector", {{"attention", {{"score", "general"}}}}),
              HasSubstr("attention.key.weight, but the file holds neither"));
}

}  // namespace
}  // namespace heed
