// SPDX-License-Identifier: Apache-2.0
#include "server/services/question_work.h"

#include <utility>

#include "base/status_macros.h"
#include "server/messages/question_messages.h"
#include "server/scheduling/refusal.h"
#include "server/sessions/session_limits.h"

namespace heed {

v1::QuestionSession QuestionSessions::ToProto(const SessionParts& parts, const Session& session) {
  return heed::ToProto(session, parts.ModelVersionOf(session), parts.store.options().idle_limit);
}

absl::StatusOr<std::shared_ptr<const State>> QuestionSessions::NewState(const StatefulModel& model,
                                                                        const v1::OpenSessionRequest&) {
  return model.NewState();
}

template <typename Response>
absl::StatusOr<SessionWork::Tasks> StoryWork<Response>::Start(const StatefulModel& model, const Session& session,
                                                              const StartLimits&) {
  if (const auto more = static_cast<int64_t>(story_.facts.size()); more > 0) {
    const absl::Status full = CheckHeldUnits("facts", model, session.state->units() + more, options_);
    if (!full.ok()) return SessionFull(full);
  }
  model_ = &ModelAs<QuestionAnswerer>(model);
  story_.state = session.state;
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<StoryTask> task, model_->Start(std::move(story_)));
  task_ = task.get();
  Tasks tasks;
  tasks.push_back(std::move(task));
  return tasks;
}

template <typename Response>
void StoryWork<Response>::Respond() {
  Fill(*task_, *model_, response_);
}

template class StoryWork<v1::TellResponse>;
template class StoryWork<v1::AskResponse>;

}  // namespace heed
