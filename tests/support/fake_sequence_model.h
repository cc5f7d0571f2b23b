// SPDX-License-Identifier: Apache-2.0
// A SequenceModel without a network: its outputs are sums of its inputs, so that a test can tell what every answer must
// be. Steps can be held, which lets a test act between two of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/kinds/sequence_model.h"
#include "tests/support/step_gate.h"

namespace heed {

// Reads rows of 3 numbers; the output of each, 2 numbers, is the sum of the first two columns over it and all rows
// before it. With rows of its data's width, 2, the answer is that of the data and `repeats` rows of zeros.
//
// Each row takes one step. The number -1 fails its task with INTERNAL. Thread-safe.
class FakeSequenceModel : public SequenceModel {
 public:
  explicit FakeSequenceModel(std::string name = "fake-sequences");

  const ModelSpec& spec() const override { return spec_; }
  int64_t input_width() const override { return 3; }
  int64_t output_width() const override { return 2; }
  int64_t data_width() const override { return 2; }
  absl::StatusOr<std::unique_ptr<SequenceTask>> Start(SequenceRequest request) const override;
  void Step(absl::Span<Task* const> tasks, Context& context) const override;

  StepGate& gate() const { return gate_; }

 private:
  ModelSpec spec_;
  mutable StepGate gate_;
};

}  // namespace heed
