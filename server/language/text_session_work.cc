// SPDX-License-Identifier: Apache-2.0
#include "server/language/text_session_work.h"

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/language/text_methods.h"
#include "server/messages/generation_messages.h"
#include "server/messages/score_messages.h"
#include "server/messages/work_metrics.h"
#include "server/scheduling/refusal.h"
#include "server/sessions/session_limits.h"

namespace heed {

v1::TextSession TextSessions::ToProto(const SessionParts& parts, const Session& session) {
  const auto model = parts.store.ModelOf(session);
  return ToTextSession(session, model.ok() ? &ModelAs<LanguageModel>(**model) : nullptr, parts.ModelVersionOf(session),
                       parts.store.options().idle_limit);
}

absl::StatusOr<std::shared_ptr<const State>> TextSessions::NewState(const StatefulModel& model,
                                                                    const v1::OpenTextSessionRequest& request) {
  if (request.has_segment_tokens() && request.segment_tokens() < 1) {
    return InvalidField("segment_tokens", request.segment_tokens(), ", must be at least 1");
  }
  return ModelAs<LanguageModel>(model).OpenState(request.segment_tokens());
}

absl::Status CheckTextState(absl::string_view field, const LanguageModel& model, const State& state,
                            const SessionOptions& options) {
  const absl::Status full = CheckHeldUnits(field, model, model.MemoryTokens(state), options);
  if (!full.ok()) return SessionFull(full);
  if (state.bytes() <= options.max_bytes) return absl::OkStatus();
  return SessionFull(absl::ResourceExhaustedError(absl::StrCat(
      field, ": the session would take ", state.bytes(), " bytes, at most --max_session_bytes=", options.max_bytes)));
}

absl::StatusOr<SessionWork::Tasks> ScoreWork::Start(const StatefulModel& model, const Session& session,
                                                    const StartLimits& limits) {
  HEED_RETURN_IF_ERROR(CheckModelOf(parts_, session, message_));
  for (ScoreRequest& request : requests_) request.state = session.state;
  HEED_ASSIGN_OR_RETURN(Tasks tasks,
                        StartAll<ScoreMethod>(ModelAs<LanguageModel>(model), std::move(requests_), limits));
  for (const auto& task : tasks) tasks_.push_back(static_cast<const ScoreTask*>(task.get()));
  return tasks;
}

void ScoreWork::OnTaskDone(const Task& task, std::string_view model, Metrics& metrics) {
  AddTextTokens(static_cast<const ScoreTask&>(task).result().tokens, 0, model, metrics);
}

void ScoreWork::Respond() {
  for (const ScoreTask* task : tasks_) ScoreMethod::FillNext(message_, *task, response_);
}

void ScoreWork::SetSession(const SessionParts& parts, const Session& session) {
  response_.set_model(session.model_name);
  response_.set_model_version(parts.ModelVersionOf(session));
}

absl::StatusOr<SessionWork::Tasks> GenerateWork::Start(const StatefulModel& model, const Session& session,
                                                       const StartLimits& limits) {
  HEED_RETURN_IF_ERROR(CheckModelOf(parts_, session, message_));
  model_ = &ModelAs<LanguageModel>(model);
  HEED_ASSIGN_OR_RETURN(options_, ToGenerateOptions(message_.options(), model_->default_options(), /*stream=*/false));
  HEED_ASSIGN_OR_RETURN(
      auto task,
      model_->StartGenerate(
          {.state = session.state, .prompt = message_.prompt(), .options = options_, .keep_state = message_.commit()},
          limits));
  task_ = task.get();
  Tasks tasks;
  tasks.push_back(std::move(task));
  return tasks;
}

void GenerateWork::OnTaskDone(const Task& task, std::string_view model, Metrics& metrics) {
  AddTextTokens(static_cast<const GenerateTask&>(task).result(), model, metrics);
}

absl::StatusOr<std::shared_ptr<const State>> GenerateWork::NextState() {
  if (!message_.commit()) return nullptr;
  HEED_RETURN_IF_ERROR(CheckTextState("prompt", *model_, *task_->state(), parts_.store.options()));
  return task_->state();
}

void GenerateWork::Respond() { Fill(task_->result(), options_, response_); }

void GenerateWork::SetSession(const SessionParts& parts, const Session& session) {
  *response_.mutable_session() = TextSessions::ToProto(parts, session);
  response_.set_model(session.model_name);
  response_.set_model_version(response_.session().model_version());
}

absl::StatusOr<SessionWork::Tasks> ReadWork::Start(const StatefulModel& model, const Session& session,
                                                   const StartLimits& limits) {
  model_ = &ModelAs<LanguageModel>(model);
  request_.state = session.state;
  options_ = request_.options;
  HEED_ASSIGN_OR_RETURN(auto task, model_->StartScore(std::move(request_), limits));
  task_ = task.get();
  Tasks tasks;
  tasks.push_back(std::move(task));
  return tasks;
}

void ReadWork::OnTaskDone(const Task& task, std::string_view model, Metrics& metrics) {
  AddTextTokens(static_cast<const ScoreTask&>(task).result().tokens, 0, model, metrics);
}

absl::StatusOr<std::shared_ptr<const State>> ReadWork::NextState() {
  HEED_RETURN_IF_ERROR(CheckTextState("text", *model_, *task_->state(), parts_.store.options()));
  return task_->state();
}

void ReadWork::Respond() {
  Add(task_->result(), result_);
  Fill(task_->result(), options_, *response_.mutable_score(), stream_offset_);
}

void ReadWork::SetSession(const SessionParts& parts, const Session& session) {
  *response_.mutable_session() = TextSessions::ToProto(parts, session);
}

}  // namespace heed
