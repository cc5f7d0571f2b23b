// SPDX-License-Identifier: Apache-2.0
// ModelInfer of the Open Inference Protocol, for each kind of model: tensors and parameters checked, read and run, and
// the response written, as the service does.
//
// Input: a byte that says which model, and from 128 on that the request came on a stream; then a ModelInferRequest.
#include <memory>
#include <string>
#include <utility>

#include "inference.pb.h"
#include "server/oip/infer_kinds.h"
#include "server/oip/infer_parameters.h"
#include "server/oip/infer_tensors.h"
#include "tests/fuzz/fixture_models.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_mutator.h"

namespace heed {
namespace {

const InferLimits kLimits = {.start = {.max_tasks = 64}, .max_graph_nodes = 1 << 14};
// A sequence may have as many rows as kMaxSequenceRows, a step each.
constexpr int kMaxSteps = 1 << 17;

constexpr const char* kFixtures[] = {"marian-separate", "ntm-questions",      "pyg-gatv2-edge-features-mean",
                                     "pyg-edge-dot",    "pyg-pool-attention", "ntm-feed-forward",
                                     "ntm-pytorch-ntm"};

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t) {
  return std::make_unique<inference::ModelInferRequest>();
}

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateMessage(data, size, max_size, seed, MessageFor);
}

void CheckOutputs(const inference::ModelInferResponse& response) {
  HEED_FUZZ_EXPECT(response.outputs_size() == response.raw_output_contents_size(), "the response's outputs");
  for (int i = 0; i < response.outputs_size(); ++i) {
    int64_t elements = 1;
    for (const int64_t size : response.outputs(i).shape()) elements *= size;
    const int64_t bytes = static_cast<int64_t>(response.raw_output_contents(i).size());
    const std::string& type = response.outputs(i).datatype();
    HEED_FUZZ_EXPECT(type == "BYTES" ? bytes >= 4 * elements : bytes == elements * (type == "FP32" ? 4 : 8),
                     "an output's elements");
  }
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<uint8_t>(input[0]);
  const Model& model = FixtureModel(kFixtures[choice % std::size(kFixtures)]);
  const bool stream = choice >= 128;
  inference::ModelInferRequest request;
  if (!request.ParseFromArray(input.data() + 1, static_cast<int>(input.size() - 1))) return;
  const absl::StatusOr<RequestParameters> parameters = ReadParameters(request.parameters());
  if (!parameters.ok()) return;
  const std::unique_ptr<InferFront> front = MakeInferFront(model, kLimits);
  const ModelTensors tensors = TensorsOf(model);
  absl::StatusOr<OutputTensors> outputs = OutputTensors::Choose(request, tensors.outputs, stream);
  if (!outputs.ok()) return;
  const absl::StatusOr<InputTensors> inputs = InputTensors::Read(request, tensors.inputs);
  if (!inputs.ok()) return;
  const auto tasks = front->Start(*inputs, parameters->model, *outputs, stream);
  if (!tasks.ok()) {
    HEED_FUZZ_EXPECT(tasks.status().code() == absl::StatusCode::kInvalidArgument, tasks.status().ToString().c_str());
    return;
  }
  if (!RunTasks(model, *tasks, kMaxSteps)) return;
  if (!stream) {
    inference::ModelInferResponse response;
    if (!tasks->empty()) front->Finish(*tasks, *outputs);
    outputs->MoveTo(response);
    CheckOutputs(response);
    return;
  }
  for (size_t i = 0; i < tasks->size(); ++i) front->TakeOutput(static_cast<int>(i), *(*tasks)[i]);
  bool ended = false;
  for (inference::ModelInferResponse part; !tasks->empty() && front->NextPart(*tasks, /*finished=*/true, *outputs);
       part.Clear()) {
    outputs->MoveTo(part);
    CheckOutputs(part);
    ended = true;
  }
  HEED_FUZZ_EXPECT(ended || tasks->empty(), "an answer on a stream has a last part");
}

}  // namespace

HEED_FUZZ_TARGET(infer_request, Run, Mutate)

}  // namespace heed
