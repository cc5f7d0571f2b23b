// What each kind of model takes and gives in the Open Inference Protocol: named tensors to tasks, and back.
//
//   translator         text -> translation, ...       questions   story, question -> answer, ...
//   graph models       x, edge_index, ... -> probabilities, class, ...       sequences   input -> output
//
// Every option of the typed service (heed.v1) is a request parameter of the same name; what only the typed service's
// message can hold is the output "details", JSON of that message.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/kinds/task.h"
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
// None for a kind that the protocol does not serve.
ModelTensors TensorsOf(const Model& model);

// One request. One thread at a time.
class InferFront {
 public:
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

// Null for a kind that the protocol does not serve. `model` outlives it.
std::unique_ptr<InferFront> MakeInferFront(const Model& model, const InferLimits& limits);

}  // namespace heed
