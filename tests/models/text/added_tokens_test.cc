// SPDX-License-Identifier: Apache-2.0
// Tokens beside SentencePiece's, against transformers 4.57's MarianTokenizer on the same directory.
#include "models/text/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "models/text/marian_tokenizer.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// marian-relu, whose vocabulary has 91 ids, with some more rows.
class AddedTokensTest : public testing::Test {
 protected:
  AddedTokensTest() {
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/marian-relu", directory_.path() / "model");
  }
  void SetConfig(const std::string& field, const json& value) {
    json config = json::parse(directory_.Read("model/tokenizer_config.json"));
    config[field] = value;
    directory_.Write("model/tokenizer_config.json", config.dump());
  }
  void AddAll() {
    json decoder = {{"7", {{"content", "</s>"}, {"special", true}}}, {"1", {{"content", "<unk>"}, {"special", true}}}};
    decoder["91"] = {{"content", "<ph1>"}, {"special", false}, {"normalized", true}};
    decoder["92"] = {{"content", "<ph12>"}};
    decoder["93"] = {{"content", "<sp>"}, {"special", true}};
    decoder["94"] = {{"content", "<l>"}, {"lstrip", true}};
    decoder["95"] = {{"content", "<r>"}, {"rstrip", true}};
    decoder["96"] = {{"content", "word"}, {"single_word", true}};
    SetConfig("added_tokens_decoder", decoder);
  }
  absl::StatusOr<MarianTokenizer> Load() {
    TokenIds ids;
    ids.source_vocabulary = ids.target_vocabulary = 97;
    ids.eos = 7;
    ids.pad = 90;
    return MarianTokenizer::Load(directory_.File("model"), ids);
  }
  std::string Error() { return std::string(Load().status().message()); }

  TemporaryDirectory directory_;
};

TEST_F(AddedTokensTest, TextIsSplitAsTransformersDoes) {
  AddAll();
  const auto codec = Load();
  ASSERT_TRUE(codec.ok()) << codec.status();
  const auto ids = [&](const char* text) { return codec->EncodeSource("", text).ids; };
  EXPECT_THAT(ids("A <ph1> dog"), ElementsAre(29, 47, 91, 29, 31, 79, 67, 7));
  EXPECT_THAT(ids("<ph1>"), ElementsAre(91, 7));
  EXPECT_THAT(ids("<ph12> <ph1>dog<ph12>"), ElementsAre(92, 91, 29, 31, 79, 67, 92, 7));
  EXPECT_THAT(ids("  the <sp> cat"), ElementsAre(6, 93, 29, 16, 13, 77, 7));
  EXPECT_THAT(ids("the <l> cat"), ElementsAre(6, 94, 29, 16, 13, 77, 7));
  EXPECT_THAT(ids("the <r> cat"), ElementsAre(6, 95, 29, 16, 13, 77, 7));
  EXPECT_THAT(ids("a word here"), ElementsAre(29, 13, 96, 29, 65, 12, 50, 7));
  EXPECT_THAT(ids("awords word"), ElementsAre(29, 13, 80, 79, 14, 31, 29, 72, 96, 7));
  EXPECT_THAT(ids("word"), ElementsAre(96, 7));
  EXPECT_THAT(ids("the cat wordy word"), ElementsAre(6, 29, 16, 13, 77, 29, 80, 79, 14, 31, 34, 96, 7));
  EXPECT_EQ(codec->SourcePiece(91), "<ph1>");
  EXPECT_THAT(codec->EncodeTargetPrefix("<ph1> the"), ElementsAre(91, 6));
}

TEST_F(AddedTokensTest, DecodingGivesThemBack) {
  AddAll();
  const auto codec = Load();
  ASSERT_TRUE(codec.ok()) << codec.status();
  EXPECT_EQ(codec->Decode({6, 29, 16, 13, 77, 91, 6, 29, 16, 13, 77, 7}, {}), "the cat <ph1> the cat");
  EXPECT_EQ(codec->Decode({91, 6, 29, 16, 13, 77, 93, 6, 29, 16, 13, 77, 92}, {}), "<ph1> the cat <sp> the cat <ph12>");
  EXPECT_EQ(codec->Decode({91, 92}, {}), "<ph1> <ph12>");
  EXPECT_EQ(codec->Decode({96, 6, 29, 16, 13, 77, 94}, {}), "word the cat <l>");
  EXPECT_EQ(codec->TargetPiece(92), "<ph12>");
}

// The older files; what they call special is not in the text.
TEST_F(AddedTokensTest, LegacyFilesAreRead) {
  directory_.Write("model/added_tokens.json", R"({"<ph1>": 91, "<sp>": 93})");
  directory_.Write("model/special_tokens_map.json", R"({"additional_special_tokens": ["<sp>"], "eos_token": "</s>"})");
  const auto codec = Load();
  ASSERT_TRUE(codec.ok()) << codec.status();
  EXPECT_THAT(codec->EncodeSource("", "the <sp><ph1> cat").ids, ElementsAre(6, 93, 91, 29, 16, 13, 77, 7));
  EXPECT_EQ(codec->Decode({91, 93, 6, 29, 16, 13, 77}, {}), "<ph1> the cat");
}

TEST_F(AddedTokensTest, ContradictionsAreNamed) {
  directory_.Write("model/added_tokens.json", R"({"<ph1>": 97})");
  EXPECT_THAT(Error(), AllOf(HasSubstr("vocab.json: the added token '<ph1>' has id 97"), HasSubstr("has 97 ids")));
  directory_.Write("model/added_tokens.json", R"({"<ph1>": 6})");
  EXPECT_THAT(Error(), AllOf(HasSubstr("'<ph1>' has id 6"), HasSubstr("so has piece")));
  directory_.Write("model/added_tokens.json", R"({"\u2581the": 95})");
  EXPECT_THAT(Error(), HasSubstr("has id 95, but as a piece it has 6"));
  directory_.Write("model/added_tokens.json", R"({"<ph1>": -1})");
  EXPECT_THAT(Error(), AllOf(HasSubstr("added_tokens.json: token '<ph1>'"), HasSubstr("not a whole number")));
  directory_.Write("model/added_tokens.json", R"(["<ph1>"])");
  EXPECT_THAT(Error(), HasSubstr("added_tokens.json: not a JSON object"));
  SetConfig("added_tokens_decoder", {{"x", {{"content", "<ph1>"}}}});
  EXPECT_THAT(Error(), HasSubstr("tokenizer_config.json: added_tokens_decoder: x: is no id"));
  SetConfig("added_tokens_decoder", {{"91", "<ph1>"}});
  EXPECT_THAT(Error(), HasSubstr("added_tokens_decoder: 91: is no object"));
  SetConfig("added_tokens_decoder", {{"91", {{"content", ""}}}});
  EXPECT_THAT(Error(), HasSubstr("added_tokens_decoder: 91: has no content"));
  SetConfig("added_tokens_decoder", {1});
  EXPECT_THAT(Error(), HasSubstr("added_tokens_decoder: is no object"));
}

TEST_F(AddedTokensTest, ADirectoryWithoutAnyIsAsBefore) {
  const auto codec = Load();
  ASSERT_TRUE(codec.ok()) << codec.status();
  EXPECT_THAT(codec->EncodeSource("", "the cat").ids, ElementsAre(6, 29, 16, 13, 77, 7));
  EXPECT_EQ(codec->Decode({6, 29, 16, 13, 77, 7}, {}), "the cat");
}

}  // namespace
}  // namespace heed
