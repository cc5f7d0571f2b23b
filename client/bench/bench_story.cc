// SPDX-License-Identifier: Apache-2.0
#include "client/bench/bench_story.h"

#include <sstream>

namespace heed::client {
namespace {

constexpr char kBuiltInStory[] =
    "Mary moved to the bathroom.\n"
    "John went to the hallway.\n"
    "Where is Mary?\n"
    "Daniel went back to the hallway.\n"
    "Sandra picked up the milk there.\n"
    "Mary journeyed to the garden.\n"
    "Where is Daniel?\n"
    "John travelled to the office.\n"
    "Sandra went to the bedroom.\n"
    "Where is John?\n"
    "Where is the milk?\n"
    "Daniel moved to the kitchen.\n"
    "Where is Mary?\n";

}  // namespace

Story BenchStory() {
  std::istringstream text(kBuiltInStory);
  return StoryReader(text, "the built-in story", StoryFormat::kSentences).Next().value().value();
}

}  // namespace heed::client
