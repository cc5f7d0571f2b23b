// SPDX-License-Identifier: Apache-2.0
#include "server/language/generation_calls.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/language/text_session_work.h"
#include "server/messages/expected_version.h"
#include "server/messages/generation_messages.h"
#include "server/messages/work_metrics.h"

namespace heed {

absl::StatusOr<JobCall::Tasks> GenerateCall::Begin() {
  HEED_RETURN_IF_ERROR(CheckCommit(request_));
  HEED_RETURN_IF_ERROR(
      FindModel(parts_.registry, request_.model(), request_.model_version(), ModelKind::kLanguageModel));
  const auto& model = model_as<LanguageModel>();
  HEED_ASSIGN_OR_RETURN(options_, ToGenerateOptions(request_.options(), model.default_options(), /*stream=*/false));
  HEED_ASSIGN_OR_RETURN(auto task,
                        model.StartGenerate({.prompt = request_.prompt(), .options = options_}, LimitsOfStart()));
  Tasks tasks;
  tasks.push_back(std::move(task));
  return tasks;
}

void GenerateCall::OnTaskOutput(int, Task& task) {
  if (task.finished()) AddTextTokens(static_cast<const GenerateTask&>(task).result(), model_name(), metrics_);
}

void GenerateCall::Respond(v1::GenerateResponse& response) {
  Fill(static_cast<const GenerateTask&>(*tasks()[0]).result(), options_, response);
  response.set_model(std::string(model_name()));
  response.set_model_version(model_version());
}

void GenerateStreamCall::Start() {
  const auto bytes = static_cast<int64_t>(request_.ByteSizeLong());
  if (request_.session().empty()) return Run(bytes);
  auto admission = scheduler_.Admit();
  if (!admission.ok()) return OnWorkDone(admission.status());
  SetAdmission(*std::move(admission));
  parts_.store.Find(request_.session(), ModelKind::kLanguageModel, ExpectedVersion(request_),
                    [this, bytes](absl::StatusOr<SessionStore::Found> found) {
                      if (!found.ok()) return OnWorkDone(found.status());
                      session_ = *std::move(found);
                      Run(bytes);
                    });
}

absl::StatusOr<JobCall::Tasks> GenerateStreamCall::Begin() {
  if (session_ != nullptr) {
    HEED_RETURN_IF_ERROR(CheckModelOf(parts_, *session_, request_));
    HEED_ASSIGN_OR_RETURN(auto model, parts_.store.ModelOf(*session_));
    HEED_RETURN_IF_ERROR(TakeModel({std::move(model), parts_.ModelVersionOf(*session_)}));
  } else {
    if (request_.has_expected_version()) {
      return InvalidField("expected_version", request_.expected_version(), ", but there is no session");
    }
    HEED_RETURN_IF_ERROR(
        FindModel(parts_.registry, request_.model(), request_.model_version(), ModelKind::kLanguageModel));
  }
  const auto& model = model_as<LanguageModel>();
  HEED_ASSIGN_OR_RETURN(options_, ToGenerateOptions(request_.options(), model.default_options(), /*stream=*/true));
  HEED_ASSIGN_OR_RETURN(auto task, model.StartGenerate({.state = session_ == nullptr ? nullptr : session_->state,
                                                        .prompt = request_.prompt(),
                                                        .options = options_},
                                                       LimitsOfStart()));
  Tasks tasks;
  tasks.push_back(std::move(task));
  return tasks;
}

void GenerateStreamCall::OnTaskOutput(int, Task& output) {
  auto& task = static_cast<GenerateTask&>(output);
  std::vector<v1::GenerateStreamResponse> events;
  if (std::string delta = options_.stream ? task.TakeText() : std::string(); !delta.empty()) {
    events.emplace_back().set_delta(std::move(delta));
  }
  if (task.finished()) {
    AddTextTokens(task.result(), model_name(), metrics_);
    v1::GenerateResponse& result = *events.emplace_back().mutable_result();
    Fill(task.result(), options_, result);
    if (session_ != nullptr) *result.mutable_session() = TextSessions::ToProto(parts_, *session_);
    result.set_model(std::string(model_name()));
    result.set_model_version(model_version());
  }
  Send(std::move(events));
}

}  // namespace heed
