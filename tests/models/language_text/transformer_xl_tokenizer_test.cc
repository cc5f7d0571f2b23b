// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/transformer_xl_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class TransformerXlTokenizerTest : public testing::Test {
 protected:
  // Writes vocab.txt and loads the directory.
  absl::Status Load(const std::vector<std::string>& vocabulary, const json& config = json::object()) {
    directory_.Write("vocab.txt", absl::StrJoin(vocabulary, "\n") + "\n");
    directory_.Write("tokenizer_config.json", config.dump());
    auto loaded = LoadTransformerXlTokenizer(directory_.path().string(), static_cast<int64_t>(vocabulary.size()));
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
  std::string Decoded(const std::vector<std::string>& pieces) const {
    std::vector<int32_t> ids;
    for (const std::string& piece : pieces) ids.push_back(tokenizer_->Find(piece).value());
    return tokenizer_->Decode(ids);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<const TextTokenizer> tokenizer_;
};

const std::vector<std::string> kWords = {"<eos>", "<unk>", "<formula>", "well", "@-@", "known", "1", "@,@", "234",
                                         "@.@",   "5",     "It",        "'s",   "\"",  ",",     ".", "...", "a",
                                         "b",     "(",     ")",         "-",    "eos", "<",     ">"};

TEST_F(TransformerXlTokenizerTest, TokensKnowTheirPlaces) {
  ASSERT_TRUE(Load(kWords).ok());
  EXPECT_EQ(Encoded("  It\xe2\x80\x99s well-known "), "It[It] 's[\xe2\x80\x99s] well[well] @-@[-] known[known]");
  EXPECT_EQ(Encoded("1,234.5"), "1[1] @,@[,] 234[234] @.@[.] 5[5]");
  // One character became three, and two became one.
  EXPECT_EQ(Encoded("a\xe2\x80\xa6 ``b''"), "a[a] ...[\xe2\x80\xa6] \"[``] b[b] \"['']");
  // A quotation mark and a comma change places: both come from both.
  EXPECT_EQ(Encoded("a\", b"), "a[a] ,[\",] \"[\",] b[b]");
  // A no-break space within a number becomes a full stop.
  EXPECT_EQ(Encoded("1\xc2\xa0"
                    "234"),
            "1[1] @.@[\xc2\xa0] 234[234]");
  EXPECT_EQ(Encoded("a\x01 ( b )"), "a[a] ([(] b[b] )[)]");
  EXPECT_EQ(Encoded(""), "");
  EXPECT_EQ(Encoded(" \n\t "), "");
}

TEST_F(TransformerXlTokenizerTest, UnknownWordsAreSaid) {
  ASSERT_TRUE(Load(kWords).ok());
  const auto tokens = tokenizer_->Encode("a zebra", {});
  ASSERT_TRUE(tokens.ok());
  ASSERT_EQ(tokens->size(), 2u);
  EXPECT_FALSE((*tokens)[0].is_unknown);
  EXPECT_TRUE((*tokens)[1].is_unknown);
  EXPECT_EQ((*tokens)[1].id, tokenizer_->unknown());
  EXPECT_EQ((*tokens)[1].start, 2);
  EXPECT_EQ((*tokens)[1].end, 7);
}

TEST_F(TransformerXlTokenizerTest, SpecialTokensAreTextUnlessTheCallerSaysOtherwise) {
  ASSERT_TRUE(Load(kWords).ok());
  EXPECT_EQ(Encoded("a<eos>b"), "a[a] <[<] eos[eos] >[>] b[b]");
  EXPECT_EQ(Encoded("a<eos> b", {.special_tokens = true}), "a[a] <eos>[<eos>] b[b]");
  EXPECT_EQ(Encoded("<eos> b", {.rules = TokenizerRules::kWhitespace}), "<unk>[<eos>] b[b]");
  EXPECT_EQ(Encoded("<eos> b", {.rules = TokenizerRules::kWhitespace, .special_tokens = true}), "<eos>[<eos>] b[b]");
}

TEST_F(TransformerXlTokenizerTest, WhitespaceTakesTheTextAsItIs) {
  ASSERT_TRUE(Load(kWords).ok());
  const TokenizeOptions whitespace{.rules = TokenizerRules::kWhitespace};
  EXPECT_EQ(Encoded(" well @-@ known\t1 @,@ 234 well-known", whitespace),
            "well[well] @-@[@-@] known[known] 1[1] @,@[@,@] 234[234] <unk>[well-known]");
}

TEST_F(TransformerXlTokenizerTest, LinesEndWithTheirToken) {
  ASSERT_TRUE(Load(kWords).ok());
  EXPECT_EQ(Encoded("a\n\nb", {.append_line_end = true}), "a[a] <eos>[] <eos>[] b[b] <eos>[]");
  EXPECT_EQ(Encoded("a\n", {.append_line_end = true}), "a[a] <eos>[]");
  EXPECT_EQ(Encoded("", {.append_line_end = true}), "");
  EXPECT_EQ(Encoded("a\nb"), "a[a] b[b]");
  const auto tokens = tokenizer_->Encode("a\r\nb", {.append_line_end = true});
  ASSERT_TRUE(tokens.ok());
  ASSERT_EQ(tokens->size(), 4u);
  EXPECT_EQ((*tokens)[1].start, 2);
  EXPECT_EQ((*tokens)[1].end, 2);
  EXPECT_EQ((*tokens)[3].start, 4);
  EXPECT_TRUE(tokenizer_->end_is_of_line());
  EXPECT_EQ(tokenizer_->end_of_text(), 0);
}

TEST_F(TransformerXlTokenizerTest, DecodesWordsToText) {
  ASSERT_TRUE(Load(kWords).ok());
  EXPECT_EQ(Decoded({"It", "'s", "well", "@-@", "known", ",", "1", "@,@", "234", "@.@", "5", "."}),
            "It's well-known, 1,234.5.");
  EXPECT_EQ(Decoded({"(", "a", ")", "\"", "b", "\"", "<eos>", "a", "<eos>", "<eos>"}), "(a) \"b\"\na\n\n");
  EXPECT_EQ(Decoded({"a", "<unk>"}), "a <unk>");
  EXPECT_EQ(Decoded({}), "");
}

TEST_F(TransformerXlTokenizerTest, ADirectoryOfWhitespaceTokensDecodesToThem) {
  ASSERT_TRUE(Load(kWords, {{"heed_tokenization", "whitespace"}}).ok());
  EXPECT_EQ(Encoded("well @-@ known"), "well[well] @-@[@-@] known[known]");
  EXPECT_EQ(Encoded("well-known", {.rules = TokenizerRules::kMoses}), "well[well] @-@[-] known[known]");
  EXPECT_EQ(Decoded({"well", "@-@", "known", "<eos>", "a"}), "well @-@ known\na");
}

TEST_F(TransformerXlTokenizerTest, LowerCaseIsTheDirectorys) {
  ASSERT_TRUE(Load({"<eos>", "<unk>", "a", "it", "i\xcc\x87", "\xcf\x83"}, {{"lower_case", true}}).ok());
  EXPECT_EQ(Encoded("A IT <EOS>", {.special_tokens = true}), "a[A] it[IT] <eos>[<EOS>]");
  EXPECT_EQ(Encoded("A IT", {.rules = TokenizerRules::kWhitespace}), "a[A] it[IT]");
  EXPECT_EQ(Encoded("\xce\xa3"), "\xcf\x83[\xce\xa3]");
}

TEST_F(TransformerXlTokenizerTest, TokensMayBeCharacters) {
  ASSERT_TRUE(
      Load({"<eos>", "<unk>", "\xe2\x96\x81", "a", "b", "\xc3\xa9"}, {{"heed_tokenization", "characters"}}).ok());
  EXPECT_EQ(Encoded("a b\n\xc3\xa9z"), "a[a] \xe2\x96\x81[ ] b[b] <eos>[\n] \xc3\xa9[\xc3\xa9] <unk>[z]");
  EXPECT_EQ(Encoded("a\nb", {.append_line_end = true}), "a[a] <eos>[] b[b] <eos>[]");
  EXPECT_EQ(Encoded("\xe2\x96\x81"), "<unk>[\xe2\x96\x81]");  // is no blank
  EXPECT_EQ(Encoded("<eos>a", {.special_tokens = true}), "<eos>[<eos>] a[a]");
  EXPECT_EQ(Decoded({"a", "\xe2\x96\x81", "b", "<eos>", "\xc3\xa9"}), "a b\n\xc3\xa9");
  for (const auto rules : {TokenizerRules::kMoses, TokenizerRules::kWhitespace}) {
    const auto refused = tokenizer_->Encode("a", {.rules = rules});
    EXPECT_EQ(FieldOf(refused.status()), "tokenization");
    EXPECT_THAT(refused.status().message(), HasSubstr("this model's tokens are characters"));
  }
}

TEST_F(TransformerXlTokenizerTest, ABlankMayBeSpelledAsInText8) {
  ASSERT_TRUE(Load({"_", "a", "b"}, {{"heed_tokenization", "characters"}, {"heed_blank", "_"}}).ok());
  EXPECT_EQ(Encoded("a b"), "a[a] _[ ] b[b]");
  EXPECT_EQ(Decoded({"a", "_", "b"}), "a b");
  EXPECT_FALSE(tokenizer_->unknown().has_value());
  EXPECT_FALSE(tokenizer_->end_of_text().has_value());
  EXPECT_THAT(Encoded("a c"), AllOf(HasSubstr("\"c\" at byte 2"), HasSubstr("has no token for unknown ones")));
  const auto refused = tokenizer_->Encode("a", {.append_line_end = true});
  EXPECT_EQ(FieldOf(refused.status()), "append_line_end");
}

TEST_F(TransformerXlTokenizerTest, TokensMayBeBytes) {
  ASSERT_TRUE(Load({"32", "97", "195", "169"}, {{"heed_tokenization", "bytes"}}).ok());
  EXPECT_EQ(Encoded("a \xc3\xa9\na"), "97[a] 32[ ] 195[\xc3] 169[\xa9] 97[a]");
  EXPECT_EQ(Decoded({"97", "32", "195", "169"}), "a \xc3\xa9");
  EXPECT_EQ(Decoded({"97", "195", "97"}),
            "a\xef\xbf\xbd"
            "a");
  EXPECT_THAT(Encoded("ab"), HasSubstr("\"98\" at byte 1"));
  const auto refused = tokenizer_->Encode("a", {.rules = TokenizerRules::kMoses});
  EXPECT_THAT(refused.status().message(), HasSubstr("this model's tokens are bytes"));
}

TEST_F(TransformerXlTokenizerTest, AnEmptyDelimiterMeansCharacters) {
  ASSERT_TRUE(Load({"<unk>", "a", "b"}, {{"delimiter", ""}}).ok());
  EXPECT_EQ(Encoded("ab"), "a[a] b[b]");
}

TEST_F(TransformerXlTokenizerTest, ALineMayHoldMoreThanTheToken) {
  ASSERT_TRUE(Load({"<eos> 1000", " <unk>\t17", "a 5"}).ok());
  EXPECT_EQ(tokenizer_->Piece(1), "<unk>");
  EXPECT_EQ(Encoded("a"), "a[a]");
}

TEST_F(TransformerXlTokenizerTest, PaddingIsSpecial) {
  ASSERT_TRUE(Load({"<eos>", "<unk>", "<pad>", "a"}, {{"pad_token", "<pad>"}}).ok());
  EXPECT_THAT(tokenizer_->special(), ElementsAre(2));
  EXPECT_EQ(Encoded("<pad> a", {.rules = TokenizerRules::kWhitespace}), "<unk>[<pad>] a[a]");
  EXPECT_EQ(Decoded({"a", "<pad>", "a"}), "a a");
}

TEST_F(TransformerXlTokenizerTest, WrongFilesAreNamed) {
  const auto error = [&](const std::vector<std::string>& vocabulary, const json& config) {
    return std::string(Load(vocabulary, config).message());
  };
  EXPECT_THAT(error({"a", "", "b"}, json::object()), HasSubstr("vocab.txt:2: has no token"));
  EXPECT_THAT(error({"a", "b", "a"}, json::object()), HasSubstr("vocab.txt:3: \"a\" is in line 1 too"));
  EXPECT_THAT(error({"a 1", "b", "a 2"}, json::object()), HasSubstr("piece 2, \"a\", is piece 0 too"));
  EXPECT_THAT(error({"a"}, {{"language", "xx"}}), HasSubstr("language is \"xx\", which has no rules of Moses"));
  EXPECT_THAT(error({"a"}, {{"delimiter", "\t"}}), HasSubstr("delimiter is "));
  EXPECT_THAT(error({"a"}, {{"never_split", {"x"}}}), HasSubstr("never_split is "));
  EXPECT_THAT(error({"a"}, {{"lower_case", "yes"}}), HasSubstr("lower_case is \"yes\""));
  EXPECT_THAT(error({"a"}, {{"heed_tokenization", "words"}}),
              AllOf(HasSubstr("heed_tokenization is \"words\""), HasSubstr("moses, whitespace, characters, bytes")));
  EXPECT_THAT(error({"a"}, {{"heed_tokenisation", "moses"}}), HasSubstr("no such field"));
  EXPECT_THAT(error({"a"}, {{"heed_blank", "_"}}), HasSubstr("heed_blank is \"_\""));
  EXPECT_THAT(error({"a"}, {{"delimiter", ""}, {"heed_tokenization", "moses"}}), HasSubstr("heed_tokenization is"));
  EXPECT_THAT(error({"a"}, {{"tokenizer_class", "GPT2Tokenizer"}}),
              HasSubstr("tokenizer_class is \"GPT2Tokenizer\", but only TransfoXLTokenizer is served"));
  EXPECT_THAT(error({"a"}, {{"eos_token", 5}}), HasSubstr("eos_token is 5, which is not a token"));
  EXPECT_THAT(error({"a"}, {{"additional_special_tokens", "x"}}), HasSubstr("which is not a list"));
  directory_.Write("tokenizer_config.json", "{}");
  const auto wrong_size = LoadTransformerXlTokenizer(directory_.path().string(), 7);
  EXPECT_THAT(wrong_size.status().message(), HasSubstr("has 1 tokens, but config.json's vocabulary has 7"));
}

}  // namespace
}  // namespace heed
