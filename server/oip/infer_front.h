// SPDX-License-Identifier: Apache-2.0
// Between the Open Inference Protocol's named tensors and a model's tasks: the interface that each kind has one of.
//
// Every option of the typed service (heed.v1) is a request parameter of the same name; what only the typed service's
// message can hold is the output "details", JSON of that message.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "models/kinds/model.h"
#include "server/oip/infer_parameters.h"
#include "server/oip/infer_tensors.h"
#include "server/telemetry/metrics.h"

namespace heed {

struct InferLimits {
  StartLimits start;
  int64_t max_graph_nodes = 0;
};

// What a model's metadata tells.
struct ModelTensors {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::map<std::string, std::string> properties;
  std::vector<TensorSpec> unlisted_inputs;  // read, so that the model says why it does not take them
};
// One request. One thread at a time.
class InferFront {
 public:
  using Tasks = std::vector<std::unique_ptr<Task>>;

  virtual ~InferFront() = default;

  // On gRPC's thread. `parameters`: those for the model (RequestParameters). `stream`: the answer may come in parts.
  // INVALID_ARGUMENT names the input or parameter and both values. No tasks: there is nothing to do.
  virtual absl::StatusOr<std::vector<std::unique_ptr<Task>>> Start(const InputTensors& inputs,
                                                                   const InferParameters& parameters,
                                                                   const OutputTensors& outputs, bool stream) = 0;
  // Adds what the task, which is finished without an error, did to the metrics of its kind.
  virtual void Count(const Task& task, Metrics& metrics) const = 0;
  // All tasks of Start are finished without an error.
  virtual void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const = 0;

  // Whether an answer on a stream may come in more than one part.
  virtual bool gives_parts() const { return false; }
  // Streams. What task `index` gave out, or that it is finished without an error: in its OnTaskOutput.
  virtual void TakeOutput(int, Task&) {}
  // Streams, in place of Finish: sets the outputs of the next part of the answer. False: there is none now. `finished`:
  // all tasks are finished without an error; the part after which there is none is then the last, and there is one.
  virtual bool NextPart(absl::Span<const std::unique_ptr<Task>> tasks, bool finished, OutputTensors& outputs) {
    if (!finished || given_) return false;
    given_ = true;
    Finish(tasks, outputs);
    return true;
  }

 private:
  bool given_ = false;
};

// What the fronts share.

int64_t Size(const auto& container) { return static_cast<int64_t>(container.size()); }

// An error of models and typed messages is about one of their fields (base/invalid_argument.h); here it names the
// tensor or parameter that the field was made from. `fields` are pairs of how the field's path begins and what replaces
// that. An error about another field, or none, has `otherwise` before its message.
using FieldNames = std::vector<std::pair<absl::string_view, absl::string_view>>;
absl::Status Renamed(const absl::Status& error, const FieldNames& fields, absl::string_view otherwise);
inline constexpr std::pair<absl::string_view, absl::string_view> kOptionsField = {"options.", "parameters: "};

// INVALID_ARGUMENT: an element of the input is not UTF-8. The typed services' messages hold nothing else.
absl::Status CheckUtf8(absl::string_view input, const std::vector<std::string>& texts);
// INVALID_ARGUMENT: the input has more than `max` elements.
absl::Status CheckCount(absl::string_view input, int64_t count, int64_t max);
std::string ToJson(const google::protobuf::Message& message);

}  // namespace heed
