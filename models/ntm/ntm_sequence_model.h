// SPDX-License-Identifier: Apache-2.0
// A Neural Turing Machine from rows of numbers to rows of numbers: the paper's algorithmic tasks.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "engine/linear/linear.h"
#include "models/kinds/sequence_model.h"
#include "models/ntm/neural_turing_machine.h"
#include "models/ntm/ntm_config.h"

namespace heed {

// One row of each sequence a step.
class NtmSequenceModel : public SequenceModel {
 public:
  // `spec` with everything but the numbers of weights and bytes.
  static absl::StatusOr<std::shared_ptr<const Model>> Load(const Checkpoint& checkpoint, NtmConfig config,
                                                           ModelSpec spec);

  const ModelSpec& spec() const override { return spec_; }
  void Step(absl::Span<Task* const> tasks, Context& context) const override;
  int64_t input_width() const override { return config_.machine.input_width; }
  int64_t output_width() const override { return config_.output.width; }
  int64_t data_width() const override { return config_.frame.data_width; }
  absl::StatusOr<std::unique_ptr<SequenceTask>> Start(SequenceRequest request) const override;

 private:
  class Sequence;
  explicit NtmSequenceModel(NeuralTuringMachine machine) : machine_(std::move(machine)) {}

  NtmConfig config_;
  ModelSpec spec_;
  NeuralTuringMachine machine_;
  Linear output_;
};

}  // namespace heed
