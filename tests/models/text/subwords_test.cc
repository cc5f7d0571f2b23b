// SPDX-License-Identifier: Apache-2.0
// SentencePiece models that are damaged: the library trusts what is in them, so that Subwords::Load must not.
#include "models/text/subwords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SubwordsFile : public testing::Test {
 protected:
  static std::string Fixture(const std::string& name = "marian-swish") {
    std::ifstream file(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + name + "/source.spm", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // What is wrong with it; nothing: it was loaded, and used.
  std::string Load(const std::string& bytes) {
    directory_.Write("source.spm", bytes);
    std::string error;
    const auto subwords = Subwords::Load(directory_.File("source.spm"), error);
    if (subwords == nullptr) return error;
    for (const char* text : {"the cat", "\xef\xbc\xa1 \xe2\x91\xa0 \xc3\xa9", " "}) {
      subwords->Decode(subwords->Encode(text));
    }
    return "";
  }
  // The trie of its normalization rules, found behind the bytes that tell its size.
  static size_t TrieAt(const std::string& model) {
    for (size_t at = 0; at + 4 < model.size(); ++at) {
      uint32_t size = 0;
      std::memcpy(&size, model.data() + at, sizeof(size));
      if (size > 0 && size % 1024 == 0 && size < model.size() - at) return at + 4;
    }
    return 0;
  }

  TemporaryDirectory directory_;
};

TEST_F(SubwordsFile, AnyByteOfTheRulesMayBeWrong) {
  const std::string whole = Fixture();
  ASSERT_EQ(Load(whole), "");
  const size_t trie = TrieAt(whole);
  ASSERT_GT(trie, 4u);
  int refused = 0;
  for (size_t at = trie - 4; at < whole.size(); ++at) {
    std::string model = whole;
    constexpr int kMasks[] = {0x01, 0xff, 0x10, 0x80, 0x40};
    model[at] = static_cast<char>(model[at] ^ kMasks[at % std::size(kMasks)]);
    refused += !Load(model).empty();
  }
  EXPECT_GT(refused, 0);
}

// The library's trie of pieces throws where the library itself would tell.
TEST_F(SubwordsFile, PiecesThatBeginWithAZeroByteAreRefused) {
  const std::string piece("\x0a\x0b\x0a\x02\0x\x15\0\0\0\0\x18\x01", 13);
  EXPECT_THAT(Load(Fixture("marian-separate") + piece),
              AllOf(HasSubstr("not a SentencePiece model: "), HasSubstr("zero-length key")));
}

TEST_F(SubwordsFile, RulesThatLeadAstrayAreRefused) {
  const std::string whole = Fixture();
  const size_t trie = TrieAt(whole);
  ASSERT_GT(trie, 0u);
  const auto with_root = [&](uint32_t unit) {
    std::string model = whole;
    std::memcpy(model.data() + trie, &unit, sizeof(unit));
    return Load(model);
  };
  EXPECT_THAT(with_root(0x7ffffu << 10 & 0x7fffffff),
              HasSubstr("normalizer_spec.precompiled_charsmap has a trie that leads out of itself"));
  EXPECT_THAT(with_root(0), HasSubstr("has a trie that leads back into itself"));
  std::string model = whole;
  model[trie - 4] = '\x02';  // the trie's size
  EXPECT_THAT(Load(model), HasSubstr("has a trie of 1026 bytes, which are no whole units"));
  model[trie - 4] = '\x7f';
  EXPECT_THAT(Load(model), HasSubstr("has a trie of 1151 bytes, but there are 1037"));
  EXPECT_THAT(Load(whole.substr(0, whole.size() - 1)), HasSubstr("not whole"));
}

}  // namespace
}  // namespace heed
