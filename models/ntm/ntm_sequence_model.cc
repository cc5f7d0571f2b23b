// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/ntm_sequence_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "engine/kernels/kernels.h"
#include "models/ntm/ntm_frame.h"

namespace heed {

// A sequence being read.
class NtmSequenceModel::Sequence : public SequenceTask {
 public:
  Sequence(FramedSequence framed, int64_t input_width, int64_t output_width, int64_t state_bytes)
      : framed_(std::move(framed)), input_width_(input_width), state_bytes_(state_bytes) {
    result_.width = output_width;
  }

  int64_t next_rows() const override { return 1; }
  int64_t peak_bytes() const override {
    const int64_t outputs = (framed_.rows - framed_.first_output) * result_.width;
    return state_bytes_ + (static_cast<int64_t>(framed_.inputs.size()) + outputs) * static_cast<int64_t>(sizeof(float));
  }
  int64_t answer_bytes() const override {
    return (framed_.rows - framed_.first_output) * result_.width * static_cast<int64_t>(sizeof(float));
  }
  bool has_output() const override { return finished(); }
  const SequenceResult& result() const override { return result_; }

  MachineState& state(const NeuralTuringMachine& machine) {
    if (!state_) state_ = machine.InitialState();
    return *state_;
  }
  // The next row; null: it is blank.
  const float* x() const {
    const size_t at = static_cast<size_t>(next_ * input_width_);
    return at < framed_.inputs.size() ? framed_.inputs.data() + at : nullptr;
  }

  void Take(const float* output) {
    if (next_ >= framed_.first_output) {
      if (!std::all_of(output, output + result_.width, [](float value) { return std::isfinite(value); })) {
        Finish(absl::InternalError(absl::StrCat("the model's output of row ", next_, " is not finite")));
        return;
      }
      result_.values.insert(result_.values.end(), output, output + result_.width);
    }
    if (++next_ == framed_.rows) Finish();
  }

 private:
  const FramedSequence framed_;
  const int64_t input_width_, state_bytes_;
  std::optional<MachineState> state_;  // from the first step on
  int64_t next_ = 0;
  SequenceResult result_;
};

absl::StatusOr<std::shared_ptr<const Model>> NtmSequenceModel::Load(const Checkpoint& checkpoint, NtmConfig config,
                                                                    ModelSpec spec) {
  const WeightReader tensors(checkpoint);
  HEED_ASSIGN_OR_RETURN(NeuralTuringMachine machine, NeuralTuringMachine::Load(config.machine, tensors));
  const int64_t reads = config.output.reads == OutputReads::kNone ? 0 : machine.layout()->read_values;
  // Clipping comes before the activation.
  HEED_ASSIGN_OR_RETURN(Linear output, tensors.ReadLinear("fc", config.output.width,
                                                          config.machine.controller.width + reads, Activation::kNone));
  HEED_RETURN_IF_ERROR(tensors.CheckAllRead());
  std::shared_ptr<NtmSequenceModel> model(new NtmSequenceModel(std::move(machine)));
  model->config_ = std::move(config);
  model->output_ = std::move(output);
  spec.weights = tensors.weights();
  spec.resident_bytes = model->machine_.resident_bytes() + model->output_.resident_bytes();
  model->spec_ = std::move(spec);
  return model;
}

absl::StatusOr<std::unique_ptr<SequenceTask>> NtmSequenceModel::Start(SequenceRequest request) const {
  const int64_t size = static_cast<int64_t>(request.values.size());
  const bool framed = data_width() > 0 && request.width == data_width();
  if (request.width != input_width() && !framed) {
    return InvalidField("width", request.width, ", but the model reads rows of ", input_width(),
                        data_width() > 0 ? absl::StrCat(", or of ", data_width(), " numbers of data") : "");
  }
  if (size == 0 || size % request.width != 0) {
    return InvalidField("values", size, " numbers are not one or more rows of ", request.width);
  }
  const auto wrong =
      std::find_if(request.values.begin(), request.values.end(), [](float v) { return !std::isfinite(v); });
  if (wrong != request.values.end()) {
    const int64_t at = wrong - request.values.begin();
    return InvalidField("values", "row ", at / request.width, ", column ", at % request.width, " is ", *wrong,
                        ", which is not a finite number");
  }
  FramedSequence sequence;
  if (framed) {
    if (request.answer_rows) {
      return InvalidField("answer_row_count", *request.answer_rows, ", but for rows of ", request.width,
                          " numbers of data the model's frame says how many");
    }
    HEED_ASSIGN_OR_RETURN(sequence, FrameSequence(config_.frame, request.values, request.repeats));
  } else {
    if (request.repeats) {
      return InvalidField("repeat_count", *request.repeats, ", but rows of ", request.width,
                          " numbers are taken as they are");
    }
    const int64_t rows = size / request.width, blank = request.answer_rows.value_or(0);
    if (request.answer_rows && blank < 1) {
      return InvalidField("answer_row_count", blank, ", must be at least 1");
    }
    if (rows > kMaxSequenceRows || blank > kMaxSequenceRows - rows) {
      return InvalidField("values", rows, " rows and ", blank, " rows of answer are more than ", kMaxSequenceRows);
    }
    sequence = {std::move(request.values), rows + blank, request.answer_rows ? rows : 0};
  }
  return std::make_unique<Sequence>(std::move(sequence), input_width(), output_width(),
                                    machine_.layout()->floats * static_cast<int64_t>(sizeof(float)));
}

void NtmSequenceModel::Step(absl::Span<Task* const> tasks, Context& context) const {
  const Arena::Scope scope(context.arena);
  const int64_t count = static_cast<int64_t>(tasks.size()), width = config_.machine.controller.width;
  const OutputReads reads = config_.output.reads;
  const int64_t read_values = machine_.layout()->read_values;
  const MatrixView seen = TakeMatrix(context.arena, count, output_.in());
  const auto put_reads = [&](int64_t i, const MachineState& state) {
    std::copy_n(state.reads(), read_values, seen.row(i) + width);
  };
  const std::vector<float> blank(static_cast<size_t>(input_width()));
  std::vector<MachineRow> rows;
  for (int64_t i = 0; i < count; ++i) {
    auto& sequence = static_cast<Sequence&>(*tasks[static_cast<size_t>(i)]);
    MachineState& state = sequence.state(machine_);
    const float* x = sequence.x();
    rows.push_back({x == nullptr ? blank.data() : x, &state});
    if (reads == OutputReads::kPrevious) put_reads(i, state);
  }
  const MatrixView hidden = TakeMatrix(context.arena, count, width);
  machine_.Step(rows, hidden, context);
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(hidden.row(i), width, seen.row(i));
    if (reads == OutputReads::kNew) put_reads(i, *rows[static_cast<size_t>(i)].state);
  }
  const MatrixView outputs = TakeMatrix(context.arena, count, output_width());
  output_.Apply(seen, outputs, context);
  const float clip = config_.machine.conventions.clip;
  for (int64_t i = 0; i < count; ++i) {
    float* output = outputs.row(i);
    for (int64_t k = 0; clip > 0 && k < output_width(); ++k) output[k] = std::clamp(output[k], -clip, clip);
    Activate(config_.output.activation, output, output_width());
    static_cast<Sequence&>(*tasks[static_cast<size_t>(i)]).Take(output);
  }
}

}  // namespace heed
