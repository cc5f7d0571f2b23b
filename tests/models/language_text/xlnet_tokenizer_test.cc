// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/xlnet_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/invalid_argument.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kPieces = 371;

class XlnetTokenizerTest : public testing::Test {
 protected:
  XlnetTokenizerTest() {
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/text-xlnet", directory_.path() / "model");
  }
  absl::Status Load(const json& config = json::object()) {
    directory_.Write("model/tokenizer_config.json", config.dump());
    auto loaded = LoadXlnetTokenizer(directory_.File("model"), kPieces);
    if (!loaded.ok()) return loaded.status();
    tokenizer_ = *std::move(loaded);
    return absl::OkStatus();
  }
  // "piece[surface]" of each token.
  std::string Encoded(absl::string_view text, const TokenizeOptions& options = {}) const {
    const auto tokens = tokenizer_->Encode(text, options);
    if (!tokens.ok()) return std::string(tokens.status().message());
    return absl::StrJoin(*tokens, " ", [&](std::string* out, const TextToken& token) {
      const auto begin = static_cast<size_t>(token.start), size = static_cast<size_t>(token.end - token.start);
      absl::StrAppend(out, tokenizer_->Piece(token.id), "[", text.substr(begin, size), "]");
    });
  }

  TemporaryDirectory directory_;
  std::unique_ptr<const XlnetTokenizer> tokenizer_;
};

TEST_F(XlnetTokenizerTest, KnowsItsSpecialPieces) {
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(tokenizer_->size(), kPieces);
  EXPECT_EQ(tokenizer_->tokens().classification, 3);
  EXPECT_EQ(tokenizer_->tokens().separator, 4);
  EXPECT_EQ(tokenizer_->tokens().pad, 5);
  EXPECT_EQ(tokenizer_->tokens().mask, 6);
  EXPECT_EQ(tokenizer_->tokens().end_of_document, 7);
  EXPECT_EQ(tokenizer_->tokens().end_of_paragraph, 8);
  EXPECT_EQ(tokenizer_->end_of_text(), 2);
  EXPECT_EQ(tokenizer_->unknown(), 0);
  EXPECT_FALSE(tokenizer_->end_is_of_line());
  EXPECT_THAT(tokenizer_->special(), ElementsAre(1, 3, 4, 5, 6));
}

TEST_F(XlnetTokenizerTest, PiecesKnowTheirPlaces) {
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(Encoded("the  people"), "\xe2\x96\x81the[the] \xe2\x96\x81people[people]");
  // Accents are dropped, ligatures come apart, quotation marks are one character.
  EXPECT_EQ(Encoded("th\xc3\xa9 ``x"), "\xe2\x96\x81the[th\xc3\xa9] \xe2\x96\x81[ ] \"[``] x[x]");
  EXPECT_EQ(Encoded("2000, 9,"),
            "\xe2\x96\x81"
            "2000[2000] ,[,] \xe2\x96\x81"
            "9[9] ,[,]");
  EXPECT_EQ(Encoded(""), "");
  EXPECT_EQ(Encoded(" \n "), "");
}

TEST_F(XlnetTokenizerTest, SpecialTokensAreTextUnlessTheCallerSaysOtherwise) {
  ASSERT_TRUE(Load().ok());
  const auto tokens = tokenizer_->Encode("the <mask> <sep>", {});
  ASSERT_TRUE(tokens.ok());
  for (const TextToken& token : *tokens) {
    EXPECT_NE(token.id, 6);
    EXPECT_NE(token.id, 4);
  }
  EXPECT_EQ(Encoded("the  <mask> the<sep>", {.special_tokens = true}),
            "\xe2\x96\x81the[the] <mask>[<mask>] \xe2\x96\x81the[the] <sep>[<sep>]");
}

TEST_F(XlnetTokenizerTest, DecodesPiecesToText) {
  ASSERT_TRUE(Load().ok());
  const auto decoded = [&](const std::vector<std::string>& pieces) {
    std::vector<int32_t> ids;
    for (const std::string& piece : pieces) ids.push_back(tokenizer_->Find(piece).value());
    return tokenizer_->Decode(ids);
  };
  EXPECT_EQ(decoded({"\xe2\x96\x81the", "<sep>", "\xe2\x96\x81people", ".", "<eop>", "<cls>"}), "the people.");
  EXPECT_EQ(decoded({}), "");
  EXPECT_EQ(decoded({"\xe2\x96\x81the", "\xe2\x96\x81", "."}), "the .");
  ASSERT_TRUE(Load({{"clean_up_tokenization_spaces", true}}).ok());
  EXPECT_EQ(decoded({"\xe2\x96\x81the", "\xe2\x96\x81", "."}), "the.");
}

TEST_F(XlnetTokenizerTest, FineTuningMayAddTokens) {
  directory_.Write("model/added_tokens.json", R"({"[NAME]": 371, "<special>": 372, "the": 18})");
  const json config = {{"additional_special_tokens", {"<special>"}}};
  directory_.Write("model/tokenizer_config.json", config.dump());
  auto loaded = LoadXlnetTokenizer(directory_.File("model"), kPieces + 2);
  EXPECT_THAT(loaded.status().message(), HasSubstr("\"the\" has id 18, but spiece.model's piece 18 is"));
  directory_.Write("model/added_tokens.json", R"({"[NAME]": 371, "<special>": 372})");
  loaded = LoadXlnetTokenizer(directory_.File("model"), kPieces + 2);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  tokenizer_ = *std::move(loaded);
  EXPECT_EQ(Encoded("the [NAME] people", {.special_tokens = true}),
            "\xe2\x96\x81the[the] [NAME][[NAME]] \xe2\x96\x81people[people]");
  EXPECT_EQ(Encoded("[NAME]"), "[NAME][[NAME]]");
  EXPECT_EQ(Encoded("<special>", {.special_tokens = true}), "<special>[<special>]");
  EXPECT_NE(Encoded("<special>"), "<special>[<special>]");
  EXPECT_EQ(tokenizer_->Decode({18, 371, 372, 18}), "the[NAME]the");
  directory_.Write("model/added_tokens.json", R"({"[NAME]": 380})");
  EXPECT_THAT(LoadXlnetTokenizer(directory_.File("model"), 381).status().message(),
              HasSubstr("has id 380, but 371 is the first free one"));
}

TEST_F(XlnetTokenizerTest, RulesOfOthersAreRefused) {
  ASSERT_TRUE(Load().ok());
  for (const auto rules : {TokenizerRules::kMoses, TokenizerRules::kWhitespace}) {
    EXPECT_EQ(FieldOf(tokenizer_->Encode("a", {.rules = rules}).status()), "tokenization");
  }
  EXPECT_EQ(FieldOf(tokenizer_->Encode("a", {.append_line_end = true}).status()), "append_line_end");
}

TEST_F(XlnetTokenizerTest, WrongFilesAreNamed) {
  EXPECT_THAT(Load({{"sp_model_kwargs", {{"enable_sampling", true}}}}).message(), HasSubstr("sp_model_kwargs is "));
  EXPECT_THAT(Load({{"tokenizer_class", "CpmTokenizer"}}).message(), HasSubstr("but only XLNetTokenizer is served"));
  EXPECT_THAT(Load({{"cls_token", "<what>"}}).message(), HasSubstr("spiece.model: has no piece \"<what>\""));
  EXPECT_THAT(Load({{"keep_accents", 1}}).message(), HasSubstr("keep_accents is 1"));
  EXPECT_TRUE(Load({{"tokenizer_class", "XLNetTokenizerFast"}, {"sp_model_kwargs", json::object()}}).ok());
  EXPECT_THAT(LoadXlnetTokenizer(directory_.File("model"), 5).status().message(),
              HasSubstr("has 371 tokens, but config.json's vocabulary has 5"));
  directory_.Write("model/spiece.model", "nonsense");
  EXPECT_THAT(Load().message(), HasSubstr("spiece.model: not a SentencePiece model"));
}

}  // namespace
}  // namespace heed
