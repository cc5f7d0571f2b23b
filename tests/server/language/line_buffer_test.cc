// SPDX-License-Identifier: Apache-2.0
#include "server/language/line_buffer.h"

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::ElementsAre;

constexpr size_t kLeast = LineBuffer::kLeastPartBytes;
constexpr size_t kMost = LineBuffer::kMaxPartBytes;

std::vector<std::string> TakeAll(LineBuffer& buffer) {
  std::vector<std::string> parts;
  while (true) {
    const absl::StatusOr<std::optional<std::string>> part = buffer.Take();
    EXPECT_TRUE(part.ok()) << part.status();
    if (!part.ok() || !*part) return parts;
    parts.push_back(**part);
  }
}

TEST(LineBufferTest, WaitsForWholeLinesAndGivesTheRestAtTheEnd) {
  LineBuffer buffer(false);
  EXPECT_THAT(TakeAll(buffer), ElementsAre());
  buffer.Add("one\ntwo\n");
  EXPECT_THAT(TakeAll(buffer), ElementsAre());  // too little
  const std::string line(kLeast, 'a');
  buffer.Add(line);
  EXPECT_THAT(TakeAll(buffer), ElementsAre("one\ntwo\n"));
  buffer.Add("\nb");
  EXPECT_THAT(TakeAll(buffer), ElementsAre(line + "\n"));
  buffer.End();
  EXPECT_THAT(TakeAll(buffer), ElementsAre("b"));
  EXPECT_TRUE(buffer.empty());
}

TEST(LineBufferTest, PartsAreBounded) {
  LineBuffer buffer(false);
  std::string text;
  while (text.size() < 3 * kMost) text += "ten bytes\n";
  buffer.Add(text);
  std::string all;
  for (const std::string& part : TakeAll(buffer)) {
    EXPECT_LE(part.size(), kMost);
    EXPECT_EQ(part.back(), '\n');
    all += part;
  }
  buffer.End();
  for (const std::string& part : TakeAll(buffer)) all += part;
  EXPECT_EQ(all, text);
}

TEST(LineBufferTest, LongLinesEndAtWhiteSpaceOrBetweenCharacters) {
  LineBuffer words(false);
  std::string text(kMost - 5, 'a');
  words.Add(text + " " + std::string(20, 'b'));
  EXPECT_THAT(TakeAll(words), ElementsAre(text + " "));
  LineBuffer word(false);
  text = "a";
  while (text.size() < kMost + 10) text += "\xE2\x82\xAC";
  word.Add(text);
  const std::vector<std::string> parts = TakeAll(word);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_LE(parts[0].size(), kMost);
  EXPECT_GT(parts[0].size(), kMost - 3);
  EXPECT_EQ(parts[0].size() % 3, 1u);
}

TEST(LineBufferTest, LinesThatMustBeWholeAreAnErrorBeyondTheBound) {
  LineBuffer buffer(true);
  buffer.Add(std::string(kMost - 2, 'a'));
  EXPECT_THAT(TakeAll(buffer), ElementsAre());
  buffer.Add("\nb");
  EXPECT_EQ(TakeAll(buffer).size(), 1u);
  buffer.Add(std::string(kMost, 'a'));
  const auto part = buffer.Take();
  ASSERT_FALSE(part.ok());
  EXPECT_EQ(part.status().message(),
            "text: has a line of more than 65536 bytes, which append_line_end does not let be cut");
}

}  // namespace
}  // namespace heed
