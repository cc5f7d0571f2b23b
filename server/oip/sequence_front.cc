// SPDX-License-Identifier: Apache-2.0
#include "server/oip/sequence_front.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/kinds/sequence_model.h"

namespace heed {
namespace {

class SequenceFront : public InferFront {
 public:
  explicit SequenceFront(const SequenceModel& model) : model_(model) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters, const OutputTensors&,
                              bool) override {
    SequenceRequest request;
    request.width = inputs.shape("input")[1];
    request.values = inputs.floats("input");
    for (const auto& [name, parameter] : parameters) {
      std::optional<int64_t>* const option = name == "repeats"       ? &request.repeats
                                             : name == "answer_rows" ? &request.answer_rows
                                                                     : nullptr;
      if (option == nullptr) return UnknownParameter(name, "repeats, answer_rows");
      HEED_ASSIGN_OR_RETURN(*option, ToInteger(name, parameter));
    }
    absl::StatusOr<std::unique_ptr<SequenceTask>> task = model_.Start(std::move(request));
    if (!task.ok()) {
      return Renamed(task.status(),
                     {{"width", "inputs \"input\": width"},
                      {"values", "inputs \"input\""},
                      {"repeat_count", "parameters: \"repeats\""},
                      {"answer_row_count", "parameters: \"answer_rows\""}},
                     "inputs \"input\": ");
    }
    Tasks tasks;
    tasks.push_back(*std::move(task));
    return tasks;
  }

  void Count(const Task&, Metrics&) const override {}

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    const SequenceResult& result = static_cast<const SequenceTask&>(*tasks[0]).result();
    const int64_t rows = result.width > 0 ? Size(result.values) / result.width : 0;
    outputs.Set("output", {rows, result.width}, result.values);
  }

 private:
  const SequenceModel& model_;
};

}  // namespace

ModelTensors SequenceTensors(const Model& any) {
  const auto& model = ModelAs<SequenceModel>(any);
  ModelTensors tensors;
  tensors.inputs = {{"input",
                     TensorType::kFp32,
                     {kAnySize, kAnySize},
                     false,
                     absl::StrCat("rows of ", model.input_width(), " numbers",
                                  model.data_width() > 0
                                      ? absl::StrCat(", or of ", model.data_width(), " of data alone, to be framed")
                                      : "")}};
  tensors.outputs = {
      {"output", TensorType::kFp32, {kAnySize, kAnySize}, false, "the rows that the model answers with"}};
  tensors.properties = {{"parameters", "repeats: integer, answer_rows: integer"}};
  return tensors;
}

std::unique_ptr<InferFront> MakeSequenceFront(const Model& model, const InferLimits&) {
  return std::make_unique<SequenceFront>(ModelAs<SequenceModel>(model));
}

}  // namespace heed
