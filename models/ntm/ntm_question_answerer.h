// SPDX-License-Identifier: Apache-2.0
// A Neural Turing Machine that is told facts and answers questions: docs/ntm-config.md, "Questions".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/linear/linear.h"
#include "models/kinds/question_answerer.h"
#include "models/ntm/neural_turing_machine.h"
#include "models/ntm/ntm_config.h"
#include "models/ntm/sentence_encoder.h"

namespace heed {

class NtmStory;

// All stories of a step go through the controller together: a row for the fact that each is told, and one for each of
// its questions that is being thought about, on a copy of the memory.
class NtmQuestionAnswerer : public QuestionAnswerer {
 public:
  // `spec` with everything but the numbers of weights and bytes.
  static absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& directory, const Checkpoint& checkpoint,
                                                           NtmConfig config, ModelSpec spec);

  const ModelSpec& spec() const override { return spec_; }
  void Step(absl::Span<Task* const> tasks, Context& context) const override;
  std::shared_ptr<const State> NewState() const override { return new_state_; }
  absl::StatusOr<std::shared_ptr<const State>> ParseState(absl::string_view bytes) const override;
  const std::vector<int>& shift_offsets() const override { return config_.machine.conventions.shifts; }
  absl::StatusOr<std::unique_ptr<StoryTask>> Start(StoryRequest request) const override;

 private:
  explicit NtmQuestionAnswerer(NeuralTuringMachine machine, SentenceEncoder encoder)
      : machine_(std::move(machine)), encoder_(std::move(encoder)) {}
  struct Row;

  // What a row's step leaves to its story beside the machine's state.
  void TakeFact(const Row& row) const;
  void TakeThought(const Row& row) const;
  // The answers of the rows whose last thinking step this was. hidden [rows, H].
  void TakeAnswers(const std::vector<Row>& rows, ConstMatrixView hidden, Context& context) const;
  absl::StatusOr<std::vector<AnswerCandidate>> Candidates(const float* logits, int top) const;

  NtmConfig config_;
  ModelSpec spec_;
  NeuralTuringMachine machine_;
  SentenceEncoder encoder_;
  Linear answer_hidden_, answer_;
  std::shared_ptr<const State> new_state_;
};

}  // namespace heed
