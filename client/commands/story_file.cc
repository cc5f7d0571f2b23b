// SPDX-License-Identifier: Apache-2.0
#include "client/commands/story_file.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/command_input.h"

namespace heed::client {
namespace {

// Cuts off a prefix and the blanks behind it.
bool ConsumePrefix(absl::string_view& text, absl::string_view prefix) {
  if (!absl::StartsWith(text, prefix)) return false;
  const absl::string_view rest = text.substr(prefix.size());
  if (!rest.empty() && !absl::ascii_isspace(static_cast<unsigned char>(rest[0]))) return false;
  text = absl::StripLeadingAsciiWhitespace(rest);
  return true;
}

}  // namespace

StorySentence ParseSentence(std::string_view line) {
  absl::string_view text = absl::StripAsciiWhitespace({line.data(), line.size()});
  const bool fact = ConsumePrefix(text, ":fact");
  const bool question = !fact && (ConsumePrefix(text, ":question") || absl::EndsWith(text, "?"));
  return {question, std::string(text)};
}

StoryReader::StoryReader(std::istream& in, std::string name, StoryFormat format)
    : in_(in), name_(std::move(name)), format_(format) {}

absl::StatusOr<std::optional<Story>> StoryReader::Next() {
  Story story = {.number = ++stories_};
  bool any = false;
  while (again_ || NextLine()) {
    const char* command = format_ == StoryFormat::kBabi ? "heed ask --babi=-" : "heed ask --story=-";
    if (absl::Status status = CheckText(line_, number_, name_, command); !status.ok()) return status;
    const bool blank = absl::StripAsciiWhitespace(line_).empty();
    const bool begins = format_ == StoryFormat::kBabi && (line_ == "1" || absl::StartsWith(line_, "1 "));
    const bool ends = format_ == StoryFormat::kBabi ? begins : blank;
    if (any && ends) {
      again_ = begins;
      return story;
    }
    again_ = false;
    story.bytes += static_cast<int64_t>(line_.size()) + 1;
    if (blank) continue;
    any = true;
    const absl::Status added = format_ == StoryFormat::kBabi ? AddBabi(story) : AddSentence(story);
    if (!added.ok()) return added;
  }
  if (in_.bad()) return absl::DataLossError(absl::StrCat("cannot read ", name_, " after line ", number_));
  if (!any) return std::nullopt;
  return story;
}

bool StoryReader::NextLine() {
  if (!ReadLine(in_, line_)) return false;
  ++number_;
  return true;
}

absl::Status StoryReader::AddSentence(Story& story) const {
  StorySentence sentence = ParseSentence(line_);
  if (sentence.text.empty()) return Wrong(absl::StrCat("'", line_, "' has no text"));
  if (sentence.question) {
    story.questions.push_back(
        {.text = std::move(sentence.text), .line = number_, .after_facts = static_cast<int64_t>(story.facts.size())});
  } else {
    story.facts.push_back(std::move(sentence.text));
    story.fact_lines.push_back(number_);
  }
  return absl::OkStatus();
}

absl::Status StoryReader::AddBabi(Story& story) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::StripLeadingAsciiWhitespace(line_), absl::MaxSplits(' ', 1));
  int64_t id = 0;
  if (!absl::SimpleAtoi(parts.first, &id) || id < 1) {
    return Wrong(absl::StrCat("'", parts.first, "' is not an ID, a whole number of at least 1"));
  }
  if (id == 1) {
    last_id_ = 0;
    fact_ids_.clear();
  }
  if (id <= last_id_) return Wrong(absl::StrCat("the ID ", id, " comes after ", last_id_));
  last_id_ = id;
  std::vector<std::string> fields = absl::StrSplit(parts.second, '\t');
  for (std::string& field : fields) absl::StripAsciiWhitespace(&field);
  if (fields[0].empty()) return Wrong(absl::StrCat("the ID ", id, " has no text"));
  if (fields.size() > 1) return AddBabiQuestion(fields, story);
  story.facts.push_back(std::move(fields[0]));
  story.fact_lines.push_back(number_);
  fact_ids_.push_back(id);
  return absl::OkStatus();
}

absl::Status StoryReader::AddBabiQuestion(const std::vector<std::string>& fields, Story& story) const {
  AskedQuestion question = {.text = fields[0],
                            .line = number_,
                            .after_facts = static_cast<int64_t>(story.facts.size()),
                            .expected = fields[1]};
  if (fields[1].empty()) return Wrong("the question has no answer");
  if (fields.size() > 3) return Wrong(absl::StrCat(fields.size(), " fields between tabs, at most 3"));
  for (const absl::string_view text :
       absl::StrSplit(fields.size() > 2 ? fields[2] : "", absl::ByAnyChar(" ,"), absl::SkipEmpty())) {
    int64_t id = 0;
    const bool number = absl::SimpleAtoi(text, &id);
    const auto found = std::lower_bound(fact_ids_.begin(), fact_ids_.end(), id);
    if (!number || found == fact_ids_.end() || *found != id) {
      return Wrong(absl::StrCat("the supporting ID '", text, "' is no fact of the story so far"));
    }
    question.supporting.push_back(found - fact_ids_.begin());
  }
  story.questions.push_back(std::move(question));
  return absl::OkStatus();
}

absl::Status StoryReader::Wrong(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ", line ", number_, ": ", what));
}

}  // namespace heed::client
