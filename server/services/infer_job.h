// SPDX-License-Identifier: Apache-2.0
// One inference request of the Open Inference Protocol, whatever it came on: from its tensors to a job of its model,
// and from the tasks back to tensors.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "inference.pb.h"
#include "server/messages/message_check.h"
#include "server/oip/infer_kinds.h"
#include "server/registry/model_loader.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"
#include "server/services/health_service.h"

namespace heed {

// Outlive the service.
struct InferenceParts {
  const Registry& registry;
  ModelLoader& loader;
  JobParts jobs;
  const HealthService& health;
  MessageLimits message_limits;
  int64_t max_graph_nodes = 0;  // of a request's graphs
  // Of streams, as TranslationService's.
  int64_t max_stream_events = 0;
  Clock::duration max_reader_lag{0};
};

class InferJob : public JobCall {
 protected:
  // `parts` and `request` outlive it. `stream`: it came on a stream, and may be answered in parts.
  InferJob(const InferenceParts& parts, grpc::CallbackServerContext& context,
           const inference::ModelInferRequest& request, bool stream)
      : JobCall(
            parts.jobs, context,
            stream ? "inference.GRPCInferenceService/ModelStreamInfer" : "inference.GRPCInferenceService/ModelInfer"),
        parts_(parts),
        request_(request),
        stream_(stream) {}

  // For OnTaskOutput: adds what the task did to the metrics, if it is finished.
  void Count(const Task& task) const {
    if (task.finished()) front_->Count(task, metrics_);
  }
  // The answer. All tasks are finished without an error.
  void Fill(inference::ModelInferResponse& response);

  // Of streams. As InferFront's.
  void TakeOutput(int index, Task& task) { front_->TakeOutput(index, task); }
  bool NextPart(bool finished, inference::ModelInferResponse& response);
  // What every response to the request has.
  void FillHeader(inference::ModelInferResponse& response) const;
  // Whether a response without outputs follows the last part.
  bool ends_with_empty_response() const { return enable_empty_final_response_ && front_->gives_parts(); }

  const InferenceParts& parts_;

 private:
  absl::StatusOr<Tasks> Begin() override;

  const inference::ModelInferRequest& request_;
  const bool stream_;

  // Constant once Begin has returned.
  int64_t version_ = 0;  // 0: the model was not found
  bool enable_empty_final_response_ = false;
  ModelTensors specs_;
  std::unique_ptr<InferFront> front_;
  std::unique_ptr<OutputTensors> outputs_;
  Clock::duration input_conversion_{0};

  Clock::duration output_conversion_{0};
};

}  // namespace heed
