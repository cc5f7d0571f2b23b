// SPDX-License-Identifier: Apache-2.0
// A QuestionAnswerer without a network: its states hold the facts themselves and its answers are facts, so that a test
// can tell what every answer must be. Steps can be held, which lets a test act between two of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/kinds/question_answerer.h"
#include "tests/support/step_gate.h"

namespace heed {

// What FakeQuestionAnswerer's conversations come to.
class FakeState : public State {
 public:
  explicit FakeState(std::vector<std::string> facts = {}, int64_t questions = 0)
      : texts_(std::move(facts)), questions_(questions) {}

  int64_t bytes() const override;
  int64_t units() const override { return static_cast<int64_t>(texts_.size()); }
  std::string Serialize() const override;

  const std::vector<std::string>& texts() const { return texts_; }  // of the facts
  int64_t questions() const { return questions_; }                  // that were committed

 private:
  const std::vector<std::string> texts_;
  const int64_t questions_;
};

// The likeliest answer is the fact that was told last, with probability 1/2, then the one before it with 1/4, and so
// on; after all of them comes "nothing". Attribution is the same, without "nothing". There are 2 read heads over 4
// slots and shifts of -1, 0 and 1; their strength is the number of committed questions that the state has heard.
//
// Each fact and each question takes one step. A sentence may have 10 words; words that hold a digit are not known. The
// word "fail" fails its task with INTERNAL. Thread-safe.
class FakeQuestionAnswerer : public QuestionAnswerer {
 public:
  explicit FakeQuestionAnswerer(std::string name = "fake-qa", std::string fingerprint = "fake-fingerprint");

  const ModelSpec& spec() const override { return spec_; }
  std::shared_ptr<const State> NewState() const override { return std::make_shared<FakeState>(); }
  absl::StatusOr<std::shared_ptr<const State>> ParseState(absl::string_view bytes) const override;
  const std::vector<int>& shift_offsets() const override { return shift_offsets_; }
  absl::StatusOr<std::unique_ptr<StoryTask>> Start(StoryRequest request) const override;
  void Step(absl::Span<Task* const> tasks, Context& context) const override;

  StepGate& gate() const { return gate_; }

 private:
  ModelSpec spec_;
  const std::vector<int> shift_offsets_ = {-1, 0, 1};
  mutable StepGate gate_;
};

}  // namespace heed
