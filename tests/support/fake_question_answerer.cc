// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_question_answerer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"

namespace heed {
namespace {

constexpr size_t kMaxWords = 10;
constexpr int kHeads = 2;
constexpr int kSlots = 4;

std::vector<std::string> Words(absl::string_view sentence) {
  return absl::StrSplit(sentence, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
}

void AddUnknown(absl::string_view sentence, std::vector<std::string>& unknown) {
  for (const std::string& word : Words(sentence)) {
    if (std::none_of(word.begin(), word.end(), [](unsigned char c) { return absl::ascii_isdigit(c); })) continue;
    if (std::find(unknown.begin(), unknown.end(), word) == unknown.end()) unknown.push_back(word);
  }
}

bool Fails(absl::string_view sentence) {
  const std::vector<std::string> words = Words(sentence);
  return std::find(words.begin(), words.end(), "fail") != words.end();
}

absl::Status Check(absl::string_view field, size_t index, absl::string_view sentence) {
  const size_t words = Words(sentence).size();
  if (words == 0) return InvalidField(absl::StrCat(field, "[", index, "]"), "is empty");
  if (words <= kMaxWords) return absl::OkStatus();
  return InvalidField(absl::StrCat(field, "[", index, "]"), "has ", words, " words, the model reads at most ",
                      kMaxWords);
}

class FakeStoryTask : public StoryTask {
 public:
  explicit FakeStoryTask(StoryRequest request) : request_(std::move(request)) {
    if (const auto* state = static_cast<const FakeState*>(request_.state.get()); state != nullptr) {
      texts_ = state->texts();
      heard_ = state->questions();
    }
    told_before_ = texts_.size();
    for (const std::string& fact : request_.facts) AddUnknown(fact, unknown_words_);
    answers_.resize(request_.questions.size());
    if (request_.facts.empty() && request_.questions.empty()) Finish();
  }

  int64_t next_rows() const override { return 1; }
  int64_t peak_bytes() const override { return 1000; }
  bool has_output() const override { return finished(); }
  const std::vector<std::string>& unknown_words() const override { return unknown_words_; }
  const std::vector<QuestionAnswer>& answers() const override { return answers_; }
  std::shared_ptr<const State> state() const override { return state_; }

  void Advance() {
    const size_t facts = request_.facts.size();
    if (const size_t told = texts_.size() - told_before_; told < facts) {
      if (Fails(request_.facts[told])) return Finish(absl::InternalError("the fake was told to fail"));
      texts_.push_back(request_.facts[told]);
    } else {
      const StoryQuestion& question = request_.questions[asked_];
      if (Fails(question.text)) return Finish(absl::InternalError("the fake was told to fail"));
      Answer(question, answers_[asked_++]);
      if (request_.commit) ++heard_;
    }
    if (texts_.size() - told_before_ < facts || asked_ < request_.questions.size()) return;
    if (facts > 0 || request_.commit) state_ = std::make_shared<FakeState>(texts_, heard_);
    Finish();
  }

 private:
  void Answer(const StoryQuestion& question, QuestionAnswer& answer) const {
    AddUnknown(question.text, answer.unknown_words);
    const size_t known =
        question.after_facts ? told_before_ + static_cast<size_t>(*question.after_facts) : texts_.size();
    float probability = 1;
    for (size_t i = known; i > 0; --i) {
      probability /= 2;
      answer.candidates.push_back({texts_[i - 1], probability});
      if (!request_.return_attribution || answer.facts.size() >= kMaxAttributedFacts) continue;
      answer.facts.push_back({static_cast<int64_t>(i - 1), texts_[i - 1], probability});
    }
    answer.candidates.push_back({"nothing", probability});
    if (request_.top > 0 && answer.candidates.size() > static_cast<size_t>(request_.top)) {
      answer.candidates.resize(static_cast<size_t>(request_.top));
    }
    for (int head = 0; request_.return_reads && head < kHeads; ++head) {
      answer.reads.push_back(
          {0, head, std::vector<float>(kSlots, 1.0f / kSlots), static_cast<float>(heard_), 1, {0, 1, 0}, 1});
    }
  }

  const StoryRequest request_;
  std::vector<std::string> texts_;  // told so far, those of the state included
  size_t told_before_ = 0;          // those of the state
  size_t asked_ = 0;
  int64_t heard_ = 0;  // committed questions
  std::vector<std::string> unknown_words_;
  std::vector<QuestionAnswer> answers_;
  std::shared_ptr<const State> state_;
};

}  // namespace

int64_t FakeState::bytes() const {
  int64_t bytes = sizeof(*this);
  for (const std::string& text : texts_) bytes += static_cast<int64_t>(sizeof(text) + text.size());
  return bytes;
}

// "QUESTIONS LENGTH:FACT LENGTH:FACT ..."
std::string FakeState::Serialize() const {
  std::string bytes = absl::StrCat(questions_);
  for (const std::string& text : texts_) absl::StrAppend(&bytes, " ", text.size(), ":", text);
  return bytes;
}

FakeQuestionAnswerer::FakeQuestionAnswerer(std::string name, std::string fingerprint) {
  spec_.name = std::move(name);
  spec_.architecture = "fake-qa";
  spec_.fingerprint = std::move(fingerprint);
}

absl::StatusOr<std::shared_ptr<const State>> FakeQuestionAnswerer::ParseState(absl::string_view bytes) const {
  const absl::Status damaged = absl::InvalidArgumentError("the fake's state is damaged");
  int64_t questions = 0;
  const size_t end = std::min(bytes.find(' '), bytes.size());
  if (!absl::SimpleAtoi(bytes.substr(0, end), &questions) || questions < 0) return damaged;
  bytes.remove_prefix(end);
  std::vector<std::string> texts;
  while (!bytes.empty()) {
    size_t length = 0;
    const size_t colon = std::min(bytes.find(':'), bytes.size());
    if (!absl::SimpleAtoi(bytes.substr(1, colon - 1), &length) || colon == bytes.size()) return damaged;
    bytes.remove_prefix(colon + 1);
    if (length > bytes.size()) return damaged;
    texts.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
    if (!bytes.empty() && bytes.front() != ' ') return damaged;
  }
  return std::make_shared<FakeState>(std::move(texts), questions);
}

absl::StatusOr<std::unique_ptr<StoryTask>> FakeQuestionAnswerer::Start(StoryRequest request) const {
  for (size_t i = 0; i < request.facts.size(); ++i) {
    if (absl::Status status = Check("facts", i, request.facts[i]); !status.ok()) return status;
  }
  for (size_t i = 0; i < request.questions.size(); ++i) {
    const StoryQuestion& question = request.questions[i];
    if (absl::Status status = Check("questions", i, question.text); !status.ok()) return status;
    const auto facts = static_cast<int64_t>(request.facts.size());
    if (question.after_facts && (*question.after_facts < 0 || *question.after_facts > facts)) {
      return InvalidField(absl::StrCat("questions[", i, "].after_fact_count"), *question.after_facts,
                          ", must be from 0 to the number of facts, ", facts);
    }
  }
  if (request.top < 0)
    return absl::InvalidArgumentError(absl::StrCat("top_k: ", request.top, ", must not be negative"));
  return std::make_unique<FakeStoryTask>(std::move(request));
}

void FakeQuestionAnswerer::Step(absl::Span<Task* const> tasks, Context&) const {
  gate_.Pass();
  for (Task* task : tasks) static_cast<FakeStoryTask*>(task)->Advance();
}

}  // namespace heed
