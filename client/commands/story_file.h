// SPDX-License-Identifier: Apache-2.0
// Stories and questions about them, as text.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heed::client {

// One line: a fact or a question.
struct StorySentence {
  bool question = false;
  std::string text;
};

// What ends with "?" is a question, everything else a fact; ":fact TEXT" and ":question TEXT" say so themselves. Blanks
// around the text are left out.
StorySentence ParseSentence(std::string_view line);

struct AskedQuestion {
  std::string text;
  int64_t line = 0;                     // its number, from 1
  int64_t after_facts = 0;              // how many facts stand before it
  std::optional<std::string> expected;  // answer; of bAbI
  std::vector<int64_t> supporting;      // numbers of facts, from 0; of bAbI
};

struct Story {
  int64_t number = 1;  // in its text, from 1
  std::vector<std::string> facts;
  std::vector<int64_t> fact_lines;  // their numbers, from 1
  std::vector<AskedQuestion> questions;
  int64_t bytes = 0;  // of the text it was read from
};

enum class StoryFormat {
  kSentences,  // one a line (see ParseSentence); blank lines between stories
  kBabi,       // "ID text", or "ID question<TAB>answer<TAB>supporting IDs"; the ID 1 begins a story
};

// Reads one story after the other. Not thread-safe.
class StoryReader {
 public:
  // Borrows `in`; `name` is for messages.
  StoryReader(std::istream& in, std::string name, StoryFormat format);

  // The next story, with at least one fact or question; none: the text is over. Errors name the line and quote what is
  // wrong with it: INVALID_ARGUMENT; DATA_LOSS: the text cannot be read to its end.
  absl::StatusOr<std::optional<Story>> Next();

 private:
  bool NextLine();
  absl::Status AddSentence(Story& story) const;
  absl::Status AddBabi(Story& story);
  absl::Status AddBabiQuestion(const std::vector<std::string>& fields, Story& story) const;
  absl::Status Wrong(const std::string& what) const;

  std::istream& in_;
  const std::string name_;
  const StoryFormat format_;
  int64_t stories_ = 0;  // begun
  int64_t number_ = 0;   // of line_
  std::string line_;
  bool again_ = false;  // line_ begins the next story
  // bAbI, of the present story.
  int64_t last_id_ = 0;
  std::vector<int64_t> fact_ids_;
};

}  // namespace heed::client
