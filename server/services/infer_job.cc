// SPDX-License-Identifier: Apache-2.0
#include "server/services/infer_job.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/oip/infer_parameters.h"
#include "server/oip/infer_tensors.h"

namespace heed {

absl::StatusOr<InferJob::Tasks> InferJob::Begin() {
  const TimePoint begin = Clock::now();
  if (request_.model_name().empty()) return InvalidField("model_name", "is empty");
  absl::StatusOr<ServedModel> served = parts_.registry.FindVersion(request_.model_name(), request_.model_version());
  if (!served.ok()) {
    if (absl::IsUnavailable(served.status())) CountUnavailable(request_.model_name());
    return served.status();
  }
  version_ = served->version;
  HEED_ASSIGN_OR_RETURN(const RequestParameters parameters, ReadParameters(request_.parameters()));
  enable_empty_final_response_ = parameters.enable_empty_final_response;
  if (parameters.timeout) EndBy(Clock::now() + *parameters.timeout);
  if (parameters.priority) SetPriority(*parameters.priority);
  HEED_RETURN_IF_ERROR(TakeModel(*std::move(served)));
  front_ = MakeInferFront(*model_, {.start = LimitsOfStart(), .max_graph_nodes = parts_.max_graph_nodes});
  specs_ = TensorsOf(*model_);
  HEED_ASSIGN_OR_RETURN(OutputTensors outputs, OutputTensors::Choose(request_, specs_.outputs, stream_));
  std::vector<TensorSpec> known = specs_.inputs;
  known.insert(known.end(), specs_.unlisted_inputs.begin(), specs_.unlisted_inputs.end());
  HEED_ASSIGN_OR_RETURN(const InputTensors inputs, InputTensors::Read(request_, known));
  HEED_RETURN_IF_ERROR(TakeMore({.characters = inputs.characters()}));
  HEED_ASSIGN_OR_RETURN(Tasks tasks, front_->Start(inputs, parameters.model, outputs, stream_));
  outputs_ = std::make_unique<OutputTensors>(std::move(outputs));
  input_conversion_ = Clock::now() - begin;
  return tasks;
}

void InferJob::Fill(inference::ModelInferResponse& response) {
  const TimePoint begin = Clock::now();
  FillHeader(response);
  front_->Finish(tasks(), *outputs_);
  outputs_->MoveTo(response);
  scheduler_.statistics().AddConversions(model_, input_conversion_, Clock::now() - begin);
}

bool InferJob::NextPart(bool finished, inference::ModelInferResponse& response) {
  const TimePoint begin = Clock::now();
  const bool is_part = front_->NextPart(tasks(), finished, *outputs_);
  if (is_part) {
    FillHeader(response);
    outputs_->MoveTo(response);
  }
  output_conversion_ += Clock::now() - begin;
  if (finished && !is_part) scheduler_.statistics().AddConversions(model_, input_conversion_, output_conversion_);
  return is_part;
}

void InferJob::FillHeader(inference::ModelInferResponse& response) const {
  response.set_model_name(request_.model_name());
  response.set_model_version(version_ > 0 ? absl::StrCat(version_) : request_.model_version());
  response.set_id(request_.id());
}

}  // namespace heed
