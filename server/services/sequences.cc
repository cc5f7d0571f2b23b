#include "server/services/sequences.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "models/kinds/sequence_model.h"

namespace heed {

class SequencesService::RunCall : public UnaryJobCall<v1::RunResponse> {
 public:
  RunCall(SequencesService& service, grpc::CallbackServerContext& context, const v1::RunRequest& request,
          v1::RunResponse& response)
      : UnaryJobCall(service.parts_, context, response, "Run"), service_(service), request_(request) {}

 private:
  absl::StatusOr<Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(FindModel(service_.registry_, request_.model(), ModelKind::kSequenceModel));
    SequenceRequest request;
    request.width = request_.width();
    request.values.assign(request_.values().begin(), request_.values().end());
    if (request_.has_repeats()) request.repeats = request_.repeats();
    if (request_.has_answer_rows()) request.answer_rows = request_.answer_rows();
    HEED_ASSIGN_OR_RETURN(auto task, model_as<SequenceModel>().Start(std::move(request)));
    Tasks tasks;
    tasks.push_back(std::move(task));
    return tasks;
  }

  void Respond(v1::RunResponse& response) override {
    const SequenceResult& result = static_cast<const SequenceTask&>(*tasks()[0]).result();
    response.set_width(result.width);
    response.mutable_values()->Assign(result.values.begin(), result.values.end());
    response.set_model(model_->spec().name);
  }

  SequencesService& service_;
  const v1::RunRequest& request_;
};

grpc::ServerUnaryReactor* SequencesService::Run(grpc::CallbackServerContext* context, const v1::RunRequest* request,
                                                v1::RunResponse* response) {
  auto* call = new RunCall(*this, *context, *request, *response);  // deletes itself in OnDone
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

}  // namespace heed
