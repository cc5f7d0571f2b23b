// SPDX-License-Identifier: Apache-2.0
// The Neural Turing Machine (Graves et al. 2014): a controller, and heads at a memory. docs/ntm-config.md says what
// one step computes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/core/aligned_memory.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/kernels/memory_addressing.h"
#include "engine/linear/linear.h"
#include "models/layers/layer_normalization.h"
#include "models/layers/weight_reader.h"
#include "models/ntm/ntm_config.h"

namespace heed {

// Where the parts of a machine's state lie in one block of floats, each on a cache line.
struct MachineLayout {
  explicit MachineLayout(const NtmMachineConfig& config);

  int64_t slots, width, stride;                  // the memory is [width, stride]
  int64_t heads;                                 // the weights are [heads, stride]
  int64_t read_values;                           // the reads are [read heads * width]
  int64_t hidden_values;                         // hidden and cell are [layers * H]; feed-forward: 0
  int64_t weights, reads, hidden, cell, floats;  // offsets, and how many there are

  // How many of the floats mean something.
  int64_t values() const { return slots * width + heads * slots + read_values + 2 * hidden_values; }
};

// What one step leaves to the next.
class MachineState {
 public:
  explicit MachineState(std::shared_ptr<const MachineLayout> layout);  // zeros
  MachineState(MachineState&&) = default;
  MachineState& operator=(MachineState&&) = default;
  MachineState Clone() const;
  void CopyFrom(const MachineState& other);  // of the same layout
  bool IsFinite() const;

  float* memory() { return data_.get(); }
  float* weights() { return data_.get() + layout_->weights; }
  const float* weights() const { return data_.get() + layout_->weights; }
  float* reads() { return data_.get() + layout_->reads; }
  const float* reads() const { return data_.get() + layout_->reads; }
  float* hidden() { return data_.get() + layout_->hidden; }
  float* cell() { return data_.get() + layout_->cell; }
  const MachineLayout& layout() const { return *layout_; }
  int64_t bytes() const { return layout_->floats * static_cast<int64_t>(sizeof(float)); }

  // [MachineLayout::values()]: memory [slots, width], weights [heads, slots], reads, hidden, cell.
  std::vector<float> Values() const;
  void SetValues(const float* values);

 private:
  std::shared_ptr<const MachineLayout> layout_;  // a state may outlive its machine
  AlignedPointer<float> data_;
};

// One session's part in a step.
struct MachineRow {
  const float* x = nullptr;  // [input_width]
  MachineState* state = nullptr;
  bool read_only = false;     // a thinking step
  float* controls = nullptr;  // out, if not null: MemorySession::controls
};

// Immutable, thread-safe.
class NeuralTuringMachine {
 public:
  // Takes the tensors of controller, heads and initial state. INVALID_ARGUMENT names the tensor and both shapes.
  static absl::StatusOr<NeuralTuringMachine> Load(const NtmMachineConfig& config, const WeightReader& tensors);

  const NtmMachineConfig& config() const { return config_; }
  const MemoryHeads& heads() const { return heads_; }
  const std::shared_ptr<const MachineLayout>& layout() const { return layout_; }
  int64_t resident_bytes() const;

  MachineState InitialState() const { return initial_->Clone(); }

  // Advances each row's state by one step, all of them in one product a layer. hidden [rows, H]: what the controller
  // gives to the heads and the output.
  void Step(absl::Span<const MachineRow> rows, MatrixView hidden, Context& context) const;

 private:
  NeuralTuringMachine() = default;
  absl::Status LoadController(const WeightReader& tensors);
  absl::Status LoadHeads(const WeightReader& tensors);
  absl::Status LoadInitialState(const WeightReader& tensors);
  void FeedForward(MatrixView u, MatrixView hidden, Context& context) const;
  void Recur(absl::Span<const MachineRow> rows, MatrixView u, MatrixView hidden, Context& context) const;

  NtmMachineConfig config_;
  MemoryHeads heads_;
  std::shared_ptr<const MachineLayout> layout_;
  std::unique_ptr<const MachineState> initial_;
  std::optional<LayerNormalization> input_norm_, output_norm_;
  std::vector<Linear> layers_;  // LSTM: of [input ; hidden], to [4, H]
  Linear head_layer_;           // of all heads
};

}  // namespace heed
