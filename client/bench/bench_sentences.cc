// SPDX-License-Identifier: Apache-2.0
#include "client/bench/bench_sentences.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"

namespace heed::client {

std::vector<std::string> BenchSentences() {
  return {
      "Where is the station?",
      "A man in a blue jacket is waiting for the bus.",
      "I am hungry.",
      "Two children are building a castle out of wet sand on a beach while their parents watch from a blanket.",
      "Good morning.",
      "A brown dog jumps over a fallen tree in the forest.",
      "Could you tell me what time the shop opens?",
      "Several people are sitting around a wooden table and eating soup.",
      "She lost her keys yesterday.",
      "An old woman with a straw hat sells apples and pears at a market stall.",
      "Do you speak German?",
      "A cyclist in a yellow shirt rides down a steep road between two fields.",
      "My brother works in a hospital near the river.",
      "The train was late again.",
      "Three young women are laughing and taking pictures of each other in front of a fountain.",
      "It has been raining since last night, so we will stay at home and play cards.",
      "A boy kicks a ball.",
      "Please close the window before you leave.",
      "A street musician plays the violin while a small crowd listens to him.",
      "I have never seen such a beautiful garden.",
      "Two white horses stand in a snowy field behind a fence.",
      "What are you doing this weekend?",
      "A worker with an orange helmet repairs the roof of a tall building.",
      "He drinks his coffee without sugar.",
      "A little girl in a red dress blows out the candles on her birthday cake.",
      "The book that you gave me is more interesting than I thought.",
      "People are crossing a busy street in the rain with their umbrellas open.",
      "Thank you very much.",
      "A group of students sits on the grass in front of the library and talks about an exam.",
      "We would like a table for four, please.",
      "A fisherman pulls a net full of small silver fish into his boat.",
      "My grandmother always told us stories before we went to bed.",
      "The cat is asleep.",
      "A woman with long black hair is painting a picture of the mountains.",
      "If you turn left at the church, you will see the museum on the other side of the square.",
      "They bought a new car last month.",
      "A football player in a green uniform slides across the muddy ground to stop the ball.",
      "Nobody answered the telephone.",
      "Two men in suits shake hands in a bright office with large windows.",
      "How much does this cost?",
  };
}

std::optional<int> ReadBenchTexts(const std::string& path, std::vector<std::string>& texts, Console& console) {
  if (path.empty()) {
    texts = BenchSentences();
    return std::nullopt;
  }
  std::ifstream file(path);
  if (!file) return Fail(console, kExitUsage, absl::StrCat("cannot read '", path, "'"));
  for (std::string line; std::getline(file, line);) {
    if (const auto invalid = FirstInvalidUtf8(line)) {
      return Fail(console, kExitUsage,
                  absl::StrCat("'", path, "', line ", texts.size() + 1, ": not UTF-8 at byte ", *invalid + 1));
    }
    texts.push_back(std::move(line));
  }
  if (file.bad()) {
    return Fail(console, kExitUsage, absl::StrCat("cannot read '", path, "' after line ", texts.size()));
  }
  if (texts.empty()) return Fail(console, kExitUsage, absl::StrCat("'", path, "' is empty"));
  return std::nullopt;
}

}  // namespace heed::client
