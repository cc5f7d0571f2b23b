// SPDX-License-Identifier: Apache-2.0
// Tokenizers of language models do what transformers does: tests/fixtures/text-*, which make_language_text_fixtures.py
// wrote with transformers itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "models/language_text/transformer_xl_tokenizer.h"
#include "models/language_text/xlnet_tokenizer.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;

std::string FixturePath(const std::string& name) { return std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + name; }

json Expectations(const std::string& name) {
  std::ifstream file(FixturePath(name) + "/expectations.json");
  return json::parse(file);
}

// A fixture's files with another tokenizer_config.json.
class Configured {
 public:
  Configured(const std::string& fixture, const json& config) {
    std::filesystem::copy(FixturePath(fixture), directory_.path() / "model");
    directory_.Write("model/tokenizer_config.json", config.dump());
  }
  std::string path() const { return directory_.File("model"); }

 private:
  TemporaryDirectory directory_;
};

std::string Spelled(const TextTokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids) text += tokenizer.Piece(id) + " ";
  return text;
}

// Places ascend and lie within the text, and a word of plain letters is what stands at its place.
void CheckPlaces(const TextTokenizer& tokenizer, const std::string& text, const std::vector<TextToken>& tokens,
                 bool exact) {
  int64_t start = 0, end = 0;
  for (const TextToken& token : tokens) {
    ASSERT_GE(token.start, start) << text;
    ASSERT_GE(token.end, end) << text;
    ASSERT_LE(token.start, token.end) << text;
    ASSERT_LE(token.end, static_cast<int64_t>(text.size())) << text;
    start = token.start;
    end = token.end;
    std::string piece = tokenizer.Piece(token.id);
    if (piece.starts_with("\xe2\x96\x81")) piece = piece.substr(3);
    const bool plain = std::all_of(piece.begin(), piece.end(),
                                   [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '%'; });
    const std::string surface = text.substr(static_cast<size_t>(start), static_cast<size_t>(end - start));
    const bool plain_surface = std::all_of(surface.begin(), surface.end(), [](char c) { return c >= ' '; });
    if (exact && plain && plain_surface && !piece.empty()) {
      EXPECT_EQ(surface, piece) << text;
    }
  }
}

int Compare(const TextTokenizer& tokenizer, const json& group, bool exact) {
  int different = 0;
  for (const json& item : group["cases"]) {
    const auto text = item[0].get<std::string>();
    const auto expected = item[1].get<std::vector<int32_t>>();
    const auto tokens = tokenizer.Encode(text, {.special_tokens = true});
    EXPECT_TRUE(tokens.ok()) << tokens.status();
    if (!tokens.ok()) return 1;
    std::vector<int32_t> ids;
    for (const TextToken& token : *tokens) ids.push_back(token.id);
    EXPECT_EQ(Spelled(tokenizer, ids), Spelled(tokenizer, expected)) << item[0];
    different += ids != expected;
    CheckPlaces(tokenizer, text, *tokens, exact);
  }
  return different;
}

// Of cases whose tokens are of text only.
int CompareDecoded(const TextTokenizer& tokenizer, const json& group, int32_t first_text_id, int32_t unknown) {
  int compared = 0;
  for (const json& item : group["cases"]) {
    const auto ids = item[1].get<std::vector<int32_t>>();
    const bool only_text =
        std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= first_text_id || id == unknown; });
    if (!only_text) continue;
    EXPECT_EQ(tokenizer.Decode(ids), item[2].get<std::string>()) << item[0];
    ++compared;
  }
  return compared;
}

TEST(TransformersParity, TransformerXl) {
  const json expectations = Expectations("text-transformer-xl");
  std::ifstream file(FixturePath("text-transformer-xl") + "/vocab.txt");
  const auto size = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  for (const json& group : expectations["groups"]) {
    const Configured directory("text-transformer-xl", group["config"]);
    const auto tokenizer = LoadTransformerXlTokenizer(directory.path(), size);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ(Compare(**tokenizer, group, !group["config"].value("lower_case", false)), 0);
    EXPECT_GT(CompareDecoded(**tokenizer, group, 2, 1), 100);
  }
}

TEST(TransformersParity, Xlnet) {
  const json expectations = Expectations("text-xlnet");
  for (const json& group : expectations["groups"]) {
    const Configured directory("text-xlnet", group["config"]);
    const auto tokenizer = LoadXlnetTokenizer(directory.path(), 371);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ(Compare(**tokenizer, group, !group["config"].value("do_lower_case", false)), 0);
    EXPECT_GT(CompareDecoded(**tokenizer, group, 9, 0), 100);
  }
}

}  // namespace
}  // namespace heed
