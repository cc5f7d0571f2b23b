// SPDX-License-Identifier: Apache-2.0
// A story as the Neural Turing Machine reads it: the state that it leaves, and the task that takes it there.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/kinds/question_answerer.h"
#include "models/ntm/fact_attribution.h"
#include "models/ntm/neural_turing_machine.h"
#include "models/ntm/sentence_encoder.h"

namespace heed {

// A conversation's memory. Immutable once it is shared.
class NtmState : public State {
 public:
  NtmState(MachineState at, FactAttribution of) : machine(std::move(at)), attribution(std::move(of)) {}
  // Serialize's bytes. INVALID_ARGUMENT: they are damaged, or of a machine of another layout.
  static absl::StatusOr<std::shared_ptr<const NtmState>> Parse(absl::string_view bytes,
                                                               std::shared_ptr<const MachineLayout> layout);

  int64_t bytes() const override;
  int64_t units() const override { return static_cast<int64_t>(texts.size()); }
  std::string Serialize() const override;
  NtmState Clone() const;

  MachineState machine;
  FactAttribution attribution;
  std::vector<std::shared_ptr<const std::string>> texts;  // of the facts
};

// A question that is being thought about.
struct Thought {
  size_t question = 0;
  int step = 0;
  // On a copy, unless the request commits: then on the story's own state.
  std::optional<MachineState> machine;
  std::optional<FactAttribution> attribution;  // with `machine`, if it was asked for
  absl::flat_hash_map<int64_t, float> scores;  // of facts
};

// What one step adds to a story.
struct StoryRows {
  bool fact = false;
  size_t new_thoughts = 0;
};

// Advanced by NtmQuestionAnswerer::Step. A question is begun when the facts before it have been told; at most
// kMaxThoughts are thought about at a time, and the story waits for them where it must.
class NtmStory : public StoryTask {
 public:
  static constexpr size_t kMaxThoughts = 32;

  // `candidate_bytes` and `read_bytes`: of one question's candidates and reads.
  NtmStory(StoryRequest request, std::shared_ptr<const NtmState> from, std::vector<EncodedSentence> facts,
           std::vector<EncodedSentence> questions, int64_t candidate_bytes, int64_t read_bytes);

  int64_t next_rows() const override;
  int64_t peak_bytes() const override { return peak_bytes_; }
  int64_t answer_bytes() const override { return answer_bytes_; }
  bool has_output() const override { return finished(); }
  const std::vector<std::string>& unknown_words() const override { return unknown_words_; }
  const std::vector<QuestionAnswer>& answers() const override { return answers_; }
  std::shared_ptr<const State> state() const override { return result_; }

  // The rest is for the model's step.

  // Begins the thoughts that are next. True: a fact is told in this step.
  bool Prepare();
  const EncodedSentence& fact() const { return facts_[next_fact_]; }
  const EncodedSentence& question(const Thought& thought) const { return questions_[thought.question]; }
  NtmState& own() { return *own_; }
  std::deque<Thought>& thoughts() { return thoughts_; }
  MachineState& machine(Thought& thought) { return thought.machine ? *thought.machine : own_->machine; }
  const FactAttribution& attribution(const Thought& thought) const {
    return thought.attribution ? *thought.attribution : own_->attribution;
  }
  QuestionAnswer& answer(const Thought& thought) { return answers_[thought.question]; }
  const StoryRequest& request() const { return request_; }
  // The fact of this step was told.
  void Told();
  // Removes the thoughts of `steps` steps, whose answers are there; finishes the story if it is at its end.
  void Settle(int steps);
  using Task::Finish;

 private:
  StoryRows NextRows() const;
  int64_t Position(size_t question) const;

  const StoryRequest request_;
  std::shared_ptr<const NtmState> from_;  // until the first step
  const std::vector<EncodedSentence> facts_, questions_;
  std::vector<size_t> order_;  // of the questions, by when they are asked
  std::vector<std::string> unknown_words_;
  int64_t peak_bytes_ = 0;
  int64_t answer_bytes_ = 0;

  std::optional<NtmState> own_;
  size_t next_fact_ = 0, next_question_ = 0;  // that of order_
  std::deque<Thought> thoughts_;
  std::vector<MachineState> spare_;  // of thoughts that have ended, for the next ones
  std::vector<QuestionAnswer> answers_;
  std::shared_ptr<const State> result_;
};

}  // namespace heed
