// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/neural_turing_machine.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/kernels/kernels.h"

namespace heed {
namespace {

constexpr float kNormEpsilon = 1e-5f;

// Puts the rows of `right` behind those of `left`: [rows, left + right].
std::vector<float> SideBySide(const std::vector<float>& left, const std::vector<float>& right, int64_t rows) {
  const auto left_cols = static_cast<int64_t>(left.size()) / rows,
             right_cols = static_cast<int64_t>(right.size()) / rows;
  std::vector<float> both;
  both.reserve(left.size() + right.size());
  for (int64_t i = 0; i < rows; ++i) {
    both.insert(both.end(), left.begin() + i * left_cols, left.begin() + (i + 1) * left_cols);
    both.insert(both.end(), right.begin() + i * right_cols, right.begin() + (i + 1) * right_cols);
  }
  return both;
}

}  // namespace

MachineLayout::MachineLayout(const NtmMachineConfig& config)
    : slots(config.memory.slots),
      width(config.memory.width),
      stride(config.memory.stride()),
      heads(static_cast<int64_t>(config.heads.size())),
      read_values(width * std::count(config.heads.begin(), config.heads.end(), HeadKind::kRead)),
      hidden_values(config.controller.lstm ? config.controller.layers * config.controller.width : 0),
      weights(width * stride),
      reads(weights + heads * stride),
      hidden(reads + WholeCacheLines(read_values)),
      cell(hidden + WholeCacheLines(hidden_values)),
      floats(cell + WholeCacheLines(hidden_values)) {}

MachineState::MachineState(std::shared_ptr<const MachineLayout> layout)
    : layout_(std::move(layout)), data_(static_cast<float*>(AllocateAligned(static_cast<size_t>(bytes())))) {
  std::fill_n(data_.get(), layout_->floats, 0.0f);
}

MachineState MachineState::Clone() const {
  MachineState clone(layout_);
  clone.CopyFrom(*this);
  return clone;
}

void MachineState::CopyFrom(const MachineState& other) { std::copy_n(other.data_.get(), layout_->floats, data_.get()); }

bool MachineState::IsFinite() const {
  return std::all_of(data_.get(), data_.get() + layout_->floats, [](float value) { return std::isfinite(value); });
}

std::vector<float> MachineState::Values() const {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(layout_->values()));
  for (int64_t n = 0; n < layout_->slots; ++n) {
    for (int64_t m = 0; m < layout_->width; ++m) values.push_back(data_.get()[m * layout_->stride + n]);
  }
  for (int64_t i = 0; i < layout_->heads; ++i) {
    const float* row = weights() + i * layout_->stride;
    values.insert(values.end(), row, row + layout_->slots);
  }
  values.insert(values.end(), reads(), reads() + layout_->read_values);
  for (const int64_t part : {layout_->hidden, layout_->cell}) {
    values.insert(values.end(), data_.get() + part, data_.get() + part + layout_->hidden_values);
  }
  return values;
}

void MachineState::SetValues(const float* values) {
  for (int64_t n = 0; n < layout_->slots; ++n) {
    for (int64_t m = 0; m < layout_->width; ++m) memory()[m * layout_->stride + n] = *values++;
  }
  for (int64_t i = 0; i < layout_->heads; ++i, values += layout_->slots) {
    std::copy_n(values, layout_->slots, weights() + i * layout_->stride);
  }
  std::copy_n(values, layout_->read_values, reads());
  values += layout_->read_values;
  std::copy_n(values, layout_->hidden_values, hidden());
  std::copy_n(values + layout_->hidden_values, layout_->hidden_values, cell());
}

absl::StatusOr<NeuralTuringMachine> NeuralTuringMachine::Load(const NtmMachineConfig& config,
                                                              const WeightReader& tensors) {
  NeuralTuringMachine machine;
  machine.config_ = config;
  machine.heads_ = MemoryHeads(config.memory, config.heads, config.conventions);
  machine.layout_ = std::make_shared<MachineLayout>(config);
  HEED_RETURN_IF_ERROR(machine.LoadController(tensors));
  HEED_RETURN_IF_ERROR(machine.LoadHeads(tensors));
  HEED_RETURN_IF_ERROR(machine.LoadInitialState(tensors));
  return machine;
}

absl::Status NeuralTuringMachine::LoadController(const WeightReader& tensors) {
  const NtmControllerConfig& controller = config_.controller;
  const int64_t inputs = config_.input_width + layout_->read_values, width = controller.width;
  if (controller.input_norm) {
    HEED_ASSIGN_OR_RETURN(input_norm_,
                          LayerNormalization::Load(tensors, "controller.input_norm", inputs, kNormEpsilon));
  }
  if (controller.output_norm) {
    HEED_ASSIGN_OR_RETURN(output_norm_,
                          LayerNormalization::Load(tensors, "controller.output_norm", width, kNormEpsilon));
  }
  for (int64_t i = 0; i < controller.layers; ++i) {
    const int64_t in = i == 0 ? inputs : width;
    if (!controller.lstm) {
      HEED_ASSIGN_OR_RETURN(
          Linear layer, tensors.ReadLinear(absl::StrCat("controller.layers.", i), width, in, controller.activation));
      layers_.push_back(std::move(layer));
      continue;
    }
    const auto name = [i](const char* part) { return absl::StrCat("controller.lstm.", part, "_l", i); };
    HEED_ASSIGN_OR_RETURN(const std::vector<float> input, tensors.Read(name("weight_ih"), {4 * width, in}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> hidden, tensors.Read(name("weight_hh"), {4 * width, width}));
    HEED_ASSIGN_OR_RETURN(std::vector<float> bias, tensors.Read(name("bias_ih"), {4 * width}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> hidden_bias, tensors.Read(name("bias_hh"), {4 * width}));
    for (size_t j = 0; j < bias.size(); ++j) bias[j] += hidden_bias[j];
    layers_.push_back(MakeLinear(SideBySide(input, hidden, 4 * width), bias, Activation::kNone, GemmBackend::kPacked));
  }
  return absl::OkStatus();
}

absl::Status NeuralTuringMachine::LoadHeads(const WeightReader& tensors) {
  std::vector<float> weights, biases;
  for (size_t i = 0; i < config_.heads.size(); ++i) {
    const std::string name = absl::StrCat("heads.", i, config_.heads[i] == HeadKind::kRead ? ".fc_read" : ".fc_write");
    const int64_t out = heads_.parameters(config_.heads[i]);
    HEED_ASSIGN_OR_RETURN(const std::vector<float> weight,
                          tensors.Read(absl::StrCat(name, ".weight"), {out, config_.controller.width}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> bias, tensors.Read(absl::StrCat(name, ".bias"), {out}));
    weights.insert(weights.end(), weight.begin(), weight.end());
    biases.insert(biases.end(), bias.begin(), bias.end());
  }
  head_layer_ = MakeLinear(weights, biases, Activation::kNone, GemmBackend::kPacked);
  return absl::OkStatus();
}

absl::Status NeuralTuringMachine::LoadInitialState(const WeightReader& tensors) {
  const MachineLayout& layout = *layout_;
  std::vector<float> values;
  const auto append = [&](const char* name, const std::vector<int64_t>& shape) -> absl::Status {
    HEED_ASSIGN_OR_RETURN(const std::vector<float> part, tensors.Read(absl::StrCat("initial.", name), shape));
    values.insert(values.end(), part.begin(), part.end());
    return absl::OkStatus();
  };
  HEED_RETURN_IF_ERROR(append("memory", {layout.slots, layout.width}));
  HEED_RETURN_IF_ERROR(append("weights", {layout.heads, layout.slots}));
  HEED_RETURN_IF_ERROR(append("reads", {layout.read_values / layout.width, layout.width}));
  if (config_.controller.lstm) {
    HEED_RETURN_IF_ERROR(append("hidden", {config_.controller.layers, config_.controller.width}));
    HEED_RETURN_IF_ERROR(append("cell", {config_.controller.layers, config_.controller.width}));
  }
  auto state = std::make_unique<MachineState>(layout_);
  state->SetValues(values.data());
  initial_ = std::move(state);
  return absl::OkStatus();
}

int64_t NeuralTuringMachine::resident_bytes() const {
  int64_t bytes = head_layer_.resident_bytes() + initial_->bytes();
  for (const Linear& layer : layers_) bytes += layer.resident_bytes();
  return bytes;
}

void NeuralTuringMachine::Step(absl::Span<const MachineRow> rows, MatrixView hidden, Context& context) const {
  const Arena::Scope scope(context.arena);
  const int64_t count = static_cast<int64_t>(rows.size());
  const int64_t inputs = config_.input_width + layout_->read_values;
  const bool lstm = config_.controller.lstm;
  const MatrixView u = TakeMatrix(context.arena, count, inputs + (lstm ? config_.controller.width : 0));
  for (int64_t i = 0; i < count; ++i) {
    const MachineRow& row = rows[static_cast<size_t>(i)];
    std::copy_n(row.x, config_.input_width, u.row(i));
    std::copy_n(row.state->reads(), layout_->read_values, u.row(i) + config_.input_width);
  }
  if (input_norm_) input_norm_->Apply(u.Cols(0, inputs), context);
  if (lstm) {
    Recur(rows, u, hidden, context);
  } else {
    FeedForward(u, hidden, context);
  }
  if (output_norm_) output_norm_->Apply(hidden, context);

  const MatrixView parameters = TakeMatrix(context.arena, count, head_layer_.out());
  head_layer_.Apply(hidden, parameters, context);
  std::vector<MemorySession> sessions;
  sessions.reserve(rows.size());
  for (int64_t i = 0; i < count; ++i) {
    const MachineRow& row = rows[static_cast<size_t>(i)];
    sessions.push_back({parameters.row(i), row.state->memory(), row.state->weights(), row.state->reads(), row.read_only,
                        row.controls});
  }
  heads_.Step(sessions, context);
}

void NeuralTuringMachine::FeedForward(MatrixView u, MatrixView hidden, Context& context) const {
  const int64_t width = config_.controller.width;
  layers_[0].Apply(u, hidden, context);
  for (size_t i = 1; i < layers_.size(); ++i) {
    const Arena::Scope scope(context.arena);
    const MatrixView deeper = TakeMatrix(context.arena, u.rows, width);
    layers_[i].Apply(hidden, deeper, context);
    for (int64_t m = 0; m < u.rows; ++m) {
      float* to = hidden.row(m);
      const float* from = deeper.row(m);
      if (!config_.controller.residual) {
        std::copy_n(from, width, to);
        continue;
      }
      for (int64_t n = 0; n < width; ++n) to[n] += from[n];
    }
  }
}

void NeuralTuringMachine::Recur(absl::Span<const MachineRow> rows, MatrixView u, MatrixView hidden,
                                Context& context) const {
  const int64_t width = config_.controller.width;
  const MatrixView gates = TakeMatrix(context.arena, u.rows, 4 * width);
  MatrixView below = u;  // with room for the layer's own hidden state behind
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const int64_t at = static_cast<int64_t>(layer) * width, inputs = below.cols - width;
    for (int64_t i = 0; i < u.rows; ++i) {
      std::copy_n(rows[static_cast<size_t>(i)].state->hidden() + at, width, below.row(i) + inputs);
    }
    layers_[layer].Apply(below, gates, context);
    below = TakeMatrix(context.arena, u.rows, 2 * width);
    for (int64_t i = 0; i < u.rows; ++i) {
      MachineState& state = *rows[static_cast<size_t>(i)].state;
      LstmCell(gates.row(i), nullptr, width, state.hidden() + at, state.cell() + at);
      std::copy_n(state.hidden() + at, width, layer + 1 < layers_.size() ? below.row(i) : hidden.row(i));
    }
  }
}

}  // namespace heed
