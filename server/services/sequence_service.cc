// SPDX-License-Identifier: Apache-2.0
#include "server/services/sequence_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "models/kinds/sequence_model.h"

namespace heed {

class SequenceService::RunCall : public UnaryJobCall<v1::RunSequenceResponse> {
 public:
  RunCall(SequenceService& service, grpc::CallbackServerContext& context, const v1::RunSequenceRequest& request,
          v1::RunSequenceResponse& response)
      : UnaryJobCall(service.parts_, context, response, "heed.v1.SequenceService/RunSequence"),
        service_(service),
        request_(request) {}

 private:
  absl::StatusOr<Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(
        FindModel(service_.registry_, request_.model(), request_.model_version(), ModelKind::kSequenceModel));
    SequenceRequest request;
    request.width = request_.width();
    request.values.assign(request_.values().begin(), request_.values().end());
    if (request_.has_repeat_count()) request.repeats = request_.repeat_count();
    if (request_.has_answer_row_count()) request.answer_rows = request_.answer_row_count();
    HEED_ASSIGN_OR_RETURN(auto task, model_as<SequenceModel>().Start(std::move(request)));
    Tasks tasks;
    tasks.push_back(std::move(task));
    return tasks;
  }

  void Respond(v1::RunSequenceResponse& response) override {
    const SequenceResult& result = static_cast<const SequenceTask&>(*tasks()[0]).result();
    response.set_width(result.width);
    response.mutable_values()->Assign(result.values.begin(), result.values.end());
    response.set_model(model_->spec().name);
    response.set_model_version(model_version());
  }

  SequenceService& service_;
  const v1::RunSequenceRequest& request_;
};

grpc::ServerUnaryReactor* SequenceService::RunSequence(grpc::CallbackServerContext* context,
                                                       const v1::RunSequenceRequest* request,
                                                       v1::RunSequenceResponse* response) {
  auto* call = new RunCall(*this, *context, *request, *response);  // deletes itself in OnDone
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

}  // namespace heed
