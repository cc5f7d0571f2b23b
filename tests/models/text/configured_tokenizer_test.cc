// SPDX-License-Identifier: Apache-2.0
// Tokenizers that config.json describes: docs/rnn-seq2seq.md, "Tokenizer".
#include "models/text/configured_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/text/subwords.h"
#include "models/text/vocabulary_file.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

// A directory with small files, and JoeyNMT's special ids on both sides.
class ConfiguredTokenizerTest : public testing::Test {
 protected:
  ConfiguredTokenizerTest() {
    WriteVocabulary("source", {"the", "cat", "'s", "tail", "bo@@", "wl", "."});
    WriteVocabulary("target", {"die", "katze", "n@@", "napf", ".", "(", ")", "&quot;"});
    for (const char* side : {"source", "target"}) {
      directory_.Write(absl::StrCat(side, ".bpe"),
                       "#version: 0.2\nb o\nw l</w>\nbo wl</w>\nt h\nth e</w>\nc a\nca t</w>\n");
    }
    ids_.source_unknown = ids_.target_unknown = 0;
    ids_.target_pad = 1;
    ids_.target_start = 2;
    ids_.source_end = ids_.target_end = 3;
  }
  void WriteVocabulary(const std::string& side, const std::vector<std::string>& words) {
    directory_.Write(side + "_vocab.txt", absl::StrCat("<unk>\n<pad>\n<s>\n</s>\n", absl::StrJoin(words, "\n"), "\n"));
    (side == "source" ? ids_.source_vocabulary : ids_.target_vocabulary) = static_cast<int64_t>(words.size()) + 4;
  }
  // marian-relu's pieces, whose ids are SentencePiece's own without vocabulary files.
  void UseSentencePiece() {
    const std::filesystem::path fixture = std::string(HEED_SOURCE_DIR) + "/tests/fixtures/marian-relu";
    for (const char* name : {"source.spm", "target.spm"}) std::filesystem::copy(fixture / name, directory_.path());
    for (const char* name : {"source_vocab.txt", "target_vocab.txt"}) std::filesystem::remove(directory_.path() / name);
    const auto subwords = Subwords::Load((fixture / "source.spm").string(), error_);
    ids_.source_vocabulary = ids_.target_vocabulary = subwords->size();
    for (int i = 0; i < subwords->size(); ++i) pieces_.push_back(subwords->piece(i));
    ids_.source_unknown = ids_.target_unknown = 1;
    ids_.source_end = ids_.target_end = 0;
    ids_.target_pad = ids_.target_start = std::nullopt;
  }
  absl::StatusOr<std::unique_ptr<const TranslationTokenizer>> Load(const json& tokenizer) {
    directory_.Write("config.json", json{{"tokenizer", tokenizer}}.dump());
    const auto config = JsonFields::Read(directory_.File("config.json"));
    return LoadConfiguredTokenizer(directory_.path().string(), config->Inner("tokenizer"), ids_);
  }
  std::unique_ptr<const TranslationTokenizer> Loaded(const json& tokenizer) {
    auto loaded = Load(tokenizer);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : nullptr;
  }
  std::string Error(const json& tokenizer) { return std::string(Load(tokenizer).status().message()); }

  const json moses_ = {
      {"kind", "words"}, {"moses", json::object()}, {"source_language", "en"}, {"target_language", "de"}};
  TemporaryDirectory directory_;
  ConfiguredTokenIds ids_;
  std::vector<std::string> pieces_;
  std::string error_;
};

TEST_F(ConfiguredTokenizerTest, WordsAreSplitAtWhiteSpace) {
  const auto tokenizer = Loaded({{"kind", "words"}});
  const EncodedText encoded = tokenizer->EncodeSource("",
                                                      " the\xc2\xa0"
                                                      "cat \t purrs . ");
  EXPECT_THAT(encoded.ids, ElementsAre(4, 5, 0, 10, 3));
  EXPECT_THAT(encoded.spellings, ElementsAre("the", "cat", "purrs", ".", ""));
  EXPECT_THAT(tokenizer->EncodeTargetPrefix("die Katze ."), ElementsAre(4, 0, 8));
  EXPECT_EQ(tokenizer->Decode({2, 4, 5, 0, 8, 1, 3}, {}), "die katze <unk> .");
  EXPECT_EQ(tokenizer->Decode({4, 0, 8}, {"", "Minka", ""}), "die Minka .");
  EXPECT_EQ(tokenizer->SourcePiece(6), "'s");
  EXPECT_EQ(tokenizer->TargetPiece(3), "</s>");
  EXPECT_THAT(tokenizer->language_codes(), IsEmpty());
}

TEST_F(ConfiguredTokenizerTest, SpecialTokensInATextAreText) {
  const auto tokenizer = Loaded({{"kind", "words"}});
  EXPECT_THAT(tokenizer->EncodeSource("", "</s> cat <unk>").ids, ElementsAre(0, 5, 0, 3));
  EXPECT_THAT(tokenizer->EncodeTargetPrefix("<s> <pad> die"), ElementsAre(0, 0, 4));
}

// JoeyNMT's source has no start and no padding, but both are in its vocabulary.
TEST_F(ConfiguredTokenizerTest, FurtherSpecialTokensInATextAreText) {
  EXPECT_THAT(Loaded({{"kind", "words"}})->EncodeSource("", "<s> cat <pad>").ids, ElementsAre(2, 5, 1, 3));
  ids_.source_special = {1, 2};
  ids_.target_special = {5};
  const auto tokenizer = Loaded({{"kind", "words"}});
  EXPECT_THAT(tokenizer->EncodeSource("", "<s> cat <pad>").ids, ElementsAre(0, 5, 0, 3));
  EXPECT_THAT(tokenizer->EncodeTargetPrefix("die katze"), ElementsAre(4, 0));
  EXPECT_EQ(tokenizer->Decode({4, 5}, {}), "die katze");
}

TEST_F(ConfiguredTokenizerTest, WithoutAnUnknownIdUnknownWordsAreLeftOut) {
  ids_.source_unknown = ids_.source_end = std::nullopt;
  ids_.source_start = 2;
  const auto tokenizer = Loaded({{"kind", "words"}});
  const EncodedText encoded = tokenizer->EncodeSource("", "the old cat");
  EXPECT_THAT(encoded.ids, ElementsAre(2, 4, 5));
  EXPECT_THAT(encoded.spellings, ElementsAre("", "the", "cat"));
  EXPECT_THAT(tokenizer->EncodeSource("", "old").ids, ElementsAre(2));
}

TEST_F(ConfiguredTokenizerTest, MosesAndLowerCaseComeFirst) {
  json settings = moses_;
  settings["lowercase"] = true;
  const auto tokenizer = Loaded(settings);
  EXPECT_THAT(tokenizer->EncodeSource("", "The CAT's tail.").spellings,
              ElementsAre("The", "CAT", "&apos;s", "tail", ".", ""));
  EXPECT_THAT(tokenizer->EncodeSource("", "The CAT's tail.").ids, ElementsAre(4, 5, 0, 7, 10, 3));
  EXPECT_EQ(tokenizer->Decode({11, 4, 5, 11, 9, 7, 10, 8}, {}), "\"die katze\" (napf).");
  EXPECT_EQ(tokenizer->source_language(), "en");
  EXPECT_EQ(tokenizer->target_language(), "de");
  settings["moses"] = {{"escape", false}};
  EXPECT_THAT(Loaded(settings)->EncodeSource("", "The CAT's tail.").ids, ElementsAre(4, 5, 6, 7, 10, 3));
}

TEST_F(ConfiguredTokenizerTest, HyphensAreSplitOnlyIfAsked) {
  json settings = moses_;
  EXPECT_THAT(Loaded(settings)->EncodeSource("", "cat-tail").spellings, ElementsAre("cat-tail", ""));
  settings["moses"]["aggressive_hyphens"] = true;
  EXPECT_THAT(Loaded(settings)->EncodeSource("", "cat-tail").spellings, ElementsAre("cat", "@-@", "tail", ""));
}

TEST_F(ConfiguredTokenizerTest, BytePairsJoinToWords) {
  const auto tokenizer = Loaded({{"kind", "bpe"}});
  EXPECT_THAT(tokenizer->EncodeSource("", "the bowl").spellings, ElementsAre("the", "bowl", ""));
  EXPECT_EQ(tokenizer->Decode({4, 6, 7, 8}, {}), "die nnapf .");
  EXPECT_EQ(tokenizer->Decode({4, 6}, {}), "die n");
  EXPECT_EQ(tokenizer->Decode({4, 0, 7}, {"", "Z\xc3\xbc@@", ""}), "die Z\xc3\xbcnapf");
}

TEST_F(ConfiguredTokenizerTest, BytePairsAreCutToTheVocabulary) {
  const auto tokenizer = Loaded({{"kind", "bpe"}, {"restrict_to_vocabulary", true}});
  const EncodedText encoded = tokenizer->EncodeSource("", "the bowl");
  EXPECT_THAT(encoded.ids, ElementsAre(4, 8, 9, 3));
  EXPECT_THAT(encoded.spellings, ElementsAre("the", "bo@@", "wl", ""));
}

TEST_F(ConfiguredTokenizerTest, TheSeparatorIsAField) {
  for (const char* side : {"source", "target"}) WriteVocabulary(side, {"bo\xef\xbf\xad", "wl"});
  const auto tokenizer = Loaded({{"kind", "bpe"}, {"restrict_to_vocabulary", true}, {"bpe_separator", "\xef\xbf\xad"}});
  EXPECT_THAT(tokenizer->EncodeSource("", "bowl").ids, ElementsAre(4, 5, 3));
}

TEST_F(ConfiguredTokenizerTest, SentencePieceHasItsOwnIds) {
  UseSentencePiece();
  const auto tokenizer = Loaded({{"kind", "sentencepiece"}});
  const EncodedText encoded = tokenizer->EncodeSource("", "the cat");
  for (size_t i = 0; i + 1 < encoded.ids.size(); ++i) {
    EXPECT_EQ(tokenizer->SourcePiece(encoded.ids[i]), encoded.spellings[i]);
  }
  EXPECT_EQ(tokenizer->Decode(encoded.ids, {}), "the cat");
  EXPECT_EQ(tokenizer->EncodeSource("", "\xe4\xb8\xad").ids[1], 1);  // unknown
}

TEST_F(ConfiguredTokenizerTest, SentencePieceTakesIdsOfAVocabularyFile) {
  UseSentencePiece();
  std::vector<std::string> words(pieces_.rbegin(), pieces_.rend());
  ids_.source_unknown = ids_.target_unknown = static_cast<int32_t>(words.size()) - 2;
  ids_.source_end = ids_.target_end = static_cast<int32_t>(words.size()) - 1;
  for (const char* side : {"source", "target"}) {
    directory_.Write(absl::StrCat(side, "_vocab.txt"), absl::StrJoin(words, "\n"));
  }
  const auto tokenizer = Loaded({{"kind", "sentencepiece"}, {"lowercase", true}});
  const EncodedText encoded = tokenizer->EncodeSource("", "THE cat");
  EXPECT_EQ(encoded.ids.back(), *ids_.source_end);
  EXPECT_EQ(tokenizer->Decode(encoded.ids, {}), "the cat");
  const std::vector<int32_t> prefix = tokenizer->EncodeTargetPrefix("a cat");
  std::vector<int32_t> with_unknown = prefix;
  with_unknown.push_back(*ids_.target_unknown);
  with_unknown.insert(with_unknown.end(), prefix.begin(), prefix.end());
  EXPECT_EQ(tokenizer->Decode(with_unknown, {}), "a cat <unk> a cat");
}

TEST_F(ConfiguredTokenizerTest, SentencePieceIsCutToTheVocabulary) {
  UseSentencePiece();
  std::vector<std::string> words;  // without the longest piece
  for (const std::string& piece : pieces_) words.push_back(piece == "\xe2\x96\x81the" ? "" : piece);
  for (const char* side : {"source", "target"}) {
    directory_.Write(absl::StrCat(side, "_vocab.txt"), absl::StrJoin(words, "\n"));
  }
  EXPECT_EQ(Loaded({{"kind", "sentencepiece"}})->EncodeSource("", "the").ids, (std::vector<int32_t>{1, 0}));
  const EncodedText encoded =
      Loaded({{"kind", "sentencepiece"}, {"restrict_to_vocabulary", true}})->EncodeSource("", "the");
  EXPECT_EQ(absl::StrJoin(encoded.spellings, ""), "\xe2\x96\x81the");
  EXPECT_THAT(encoded.ids, testing::Not(testing::Contains(1)));
}

TEST_F(ConfiguredTokenizerTest, WrongFieldsAreNamed) {
  EXPECT_THAT(Error({{"kind", "char"}}),
              EndsWith("tokenizer: kind is \"char\", which is none of sentencepiece, bpe, words"));
  EXPECT_THAT(Error(json::object()), EndsWith("tokenizer: kind is missing"));
  EXPECT_THAT(Error({{"kind", "words"}, {"lower_case", true}}), HasSubstr("lower_case is true, but there is no such"));
  EXPECT_THAT(Error({{"kind", "words"}, {"bpe_separator", "@@"}}), HasSubstr("bpe_separator is \"@@\", but the kind"));
  EXPECT_THAT(Error({{"kind", "bpe"}, {"bpe_separator", ""}}), HasSubstr("bpe_separator is \"\", which is empty"));
  EXPECT_THAT(Error({{"kind", "words"}, {"restrict_to_vocabulary", true}}),
              HasSubstr("restrict_to_vocabulary is true"));
  EXPECT_THAT(Error({{"kind", "words"}, {"moses", true}}), HasSubstr("moses is true, which is not an object"));
  json settings = moses_;
  settings.erase("target_language");
  EXPECT_THAT(Error(settings), EndsWith("tokenizer: target_language is missing"));
  settings["target_language"] = "tlh";
  EXPECT_THAT(Error(settings), AllOf(HasSubstr("target_language is \"tlh\", which has no rules of Moses"),
                                     HasSubstr("de, en, es, fr, it, nl, pt")));
  settings["target_language"] = "de";
  settings["moses"]["hyphens"] = true;
  EXPECT_THAT(Error(settings), HasSubstr("tokenizer: moses: hyphens is true, but there is no such field"));
}

TEST_F(ConfiguredTokenizerTest, WrongVocabulariesAreNamed) {
  WriteVocabulary("source", {"the", "cat", "the"});
  EXPECT_THAT(Error({{"kind", "words"}}), EndsWith("source_vocab.txt:7: \"the\" is in line 5 too"));
  WriteVocabulary("source", {"the", "cat"});
  ids_.source_vocabulary = 7;
  EXPECT_THAT(Error({{"kind", "words"}}),
              EndsWith("source_vocab.txt: has 6 tokens, but config.json's vocabulary has 7"));
  directory_.Write("source_vocab.txt", std::string(1 << 20, '\n'));
  EXPECT_THAT(Error({{"kind", "words"}}),
              EndsWith("source_vocab.txt: has 1048576 tokens, but config.json's vocabulary has 7"));
  WriteVocabulary("source", {"the", "c\xff"});
  EXPECT_THAT(Error({{"kind", "words"}}), HasSubstr("source_vocab.txt: is not UTF-8 at byte"));
  WriteVocabulary("source", {"", "the", "", "cat"});  // ids without a token
  EXPECT_THAT(Loaded({{"kind", "words"}})->EncodeSource("", "the cat").ids, ElementsAre(5, 7, 3));
}

// A piece before the end of a word that has no characters.
TEST_F(ConfiguredTokenizerTest, ATokenThatIsTheSeparatorIsMadeByNoMerge) {
  ids_.source_special = {1, 2};
  WriteVocabulary("source", {"@@", "x", "the"});
  EXPECT_EQ(Error({{"kind", "bpe"}}), "");
  WriteVocabulary("source", {"@@", "house", "x"});
  EXPECT_THAT(Error({{"kind", "bpe"}}), HasSubstr("source.bpe: makes only 1 of the 3 tokens of "));
}

// As OpenNMT's joiners beside subword-nmt's separator.
TEST_F(ConfiguredTokenizerTest, FilesOfAnotherModelAreRefused) {
  WriteVocabulary("source", {"the", "house\xef\xbf\xad", "garden\xef\xbf\xad", "x", "y", "z"});
  EXPECT_EQ(Error({{"kind", "bpe"}}), "");
  WriteVocabulary("source", {"the", "house\xef\xbf\xad", "garden\xef\xbf\xad"});
  EXPECT_THAT(Error({{"kind", "bpe"}}),
              AllOf(HasSubstr("source.bpe: makes only 1 of the 5 tokens of "), EndsWith("not this model's tokenizer")));
  UseSentencePiece();
  WriteVocabulary("source", {pieces_[2], "house", "garden"});
  EXPECT_THAT(Error({{"kind", "sentencepiece"}}), HasSubstr("source.spm: makes only 2 of the 5 tokens of "));
}

TEST_F(ConfiguredTokenizerTest, MissingFilesAreNamed) {
  const auto missing = [&](const char* name, const json& settings) {
    std::filesystem::remove(directory_.path() / name);
    const absl::Status status = Load(settings).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("/", name, ": ")));
  };
  missing("target.bpe", {{"kind", "bpe"}});
  missing("source.spm", {{"kind", "sentencepiece"}});
  missing("target_vocab.txt", {{"kind", "words"}});
  missing("source_vocab.txt", {{"kind", "sentencepiece"}, {"restrict_to_vocabulary", true}});
}

TEST_F(ConfiguredTokenizerTest, ALinkToNothingIsNotAnAbsentVocabulary) {
  UseSentencePiece();
  EXPECT_EQ(Error({{"kind", "sentencepiece"}}), "");
  std::filesystem::create_symlink("nothing.txt", directory_.path() / "source_vocab.txt");
  const absl::Status status = Load({{"kind", "sentencepiece"}}).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/source_vocab.txt: "));
}

TEST_F(ConfiguredTokenizerTest, PiecesThatAreThereTwiceAreNamed) {
  EXPECT_EQ(VocabularyFile::OfPieces("source.spm", {"a", "", "b", "", "a"}, 5).status().message(),
            "source.spm: piece 4, \"a\", is piece 0 too");
}

}  // namespace
}  // namespace heed
