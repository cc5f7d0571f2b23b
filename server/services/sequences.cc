#include "server/services/sequences.h"

#include <memory>
#include <utility>
#include <vector>

#include "engine/status_macros.h"
#include "models/sequence_model.h"
#include "server/services/call.h"

namespace heed {

class SequencesService::RunCall : public JobCall, public grpc::ServerUnaryReactor {
 public:
  RunCall(SequencesService& service, grpc::CallbackServerContext& context, v1::RunResponse& response)
      : JobCall(service.requests_, service.scheduler_, context, "Run"), service_(service), response_(response) {}

  void Run(const v1::RunRequest& request) {
    if (const absl::Status status = Begin(request); !status.ok()) Finish(End(status));
  }

  void OnTaskOutput(int, Task&) override {}

  void OnWorkDone(const absl::Status& status) override {
    if (status.ok()) {
      const SequenceResult& result = static_cast<const SequenceTask&>(*job_->tasks[0]).result();
      response_.set_width(result.width);
      response_.mutable_values()->Assign(result.values.begin(), result.values.end());
      response_.set_model(model_->spec().name);
    }
    Finish(End(status));
  }

  void OnCancel() override { Cancel(); }
  void OnDone() override { delete this; }

 private:
  absl::Status Begin(const v1::RunRequest& from) {
    HEED_RETURN_IF_ERROR(FindModel(service_.registry_, from.model(), kSequenceModel));
    SequenceRequest request;
    request.width = from.width();
    request.values.assign(from.values().begin(), from.values().end());
    if (from.has_repeats()) request.repeats = from.repeats();
    if (from.has_answer_rows()) request.answer_rows = from.answer_rows();
    HEED_ASSIGN_OR_RETURN(auto task, static_cast<const SequenceModel&>(*model_).Start(std::move(request)));
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::move(task));
    return Submit(std::move(tasks));
  }

  SequencesService& service_;
  v1::RunResponse& response_;
};

grpc::ServerUnaryReactor* SequencesService::Run(grpc::CallbackServerContext* context, const v1::RunRequest* request,
                                                v1::RunResponse* response) {
  auto* call = new RunCall(*this, *context, *response);  // deletes itself in OnDone
  call->Run(*request);
  return call;
}

}  // namespace heed
