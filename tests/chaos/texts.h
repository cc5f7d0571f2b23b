// SPDX-License-Identifier: Apache-2.0
// What the load says.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed::chaos {

// Texts of one sentence each.
inline const std::vector<std::string>& Sentences() {
  static const auto& sentences =
      *new std::vector<std::string>{"Two dogs are playing in the snow.",
                                    "A man in a blue shirt is standing on a ladder cleaning a window.",
                                    "Good morning.",
                                    "A group of people are sitting around a table and eating.",
                                    "The little girl runs across the street with a red balloon in her hand.",
                                    "Where is the station?",
                                    "An old woman sells fruit at a market while a young boy watches her.",
                                    "Three men are walking up a hill."};
  return sentences;
}

// Sentences of ntm-babi's world: different ones for different numbers.
inline std::string Fact(int number) {
  static constexpr const char* kWho[] = {"Mary", "John", "Sandra", "Daniel"};
  static constexpr const char* kDoes[] = {"went to", "travelled to", "moved to"};
  static constexpr const char* kWhere[] = {"kitchen", "garden", "office", "hallway", "bathroom"};
  return absl::StrCat(kWho[number % 4], " ", kDoes[number % 3], " the ", kWhere[(number * 7 + number / 4) % 5], ".");
}
inline std::string Question(int number) {
  static constexpr const char* kWho[] = {"Mary", "John", "Sandra", "Daniel"};
  return absl::StrCat("Where is ", kWho[number % 4], "?");
}

}  // namespace heed::chaos
