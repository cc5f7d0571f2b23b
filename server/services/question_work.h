// SPDX-License-Identifier: Apache-2.0
// Facts told or questions asked in a session, as Tell, Ask and each message of a Chat do it; and sessions of questions
// on the wire.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "heed/v1/questions.pb.h"
#include "models/kinds/question_answerer.h"
#include "server/session_calls/session_parts.h"
#include "server/session_calls/session_work.h"

namespace heed {

// For StoreCall.
struct QuestionSessions {
  static constexpr ModelKind kKind = ModelKind::kQuestionAnswerer;
  static v1::QuestionSession ToProto(const SessionParts& parts, const Session& session);
  static absl::StatusOr<std::shared_ptr<const State>> NewState(const StatefulModel& model,
                                                               const v1::OpenSessionRequest&);
};

// Response: v1::TellResponse or v1::AskResponse.
template <typename Response>
class StoryWork : public SessionWork {
 public:
  // `story`: all but its state, which is the session's.
  StoryWork(const SessionOptions& options, StoryRequest story)
      : options_(options), changes_(!story.facts.empty() || story.commit), story_(std::move(story)) {}

  ModelKind kind() const override { return ModelKind::kQuestionAnswerer; }
  bool changes() const override { return changes_; }
  int64_t bytes() const override { return 0; }  // sentences of a few words
  absl::StatusOr<Tasks> Start(const StatefulModel& model, const Session& session, const StartLimits& limits) override;
  absl::StatusOr<std::shared_ptr<const State>> NextState() override { return task_->state(); }
  void Respond() override;
  void SetSession(const SessionParts& parts, const Session& session) override {
    *response_.mutable_session() = QuestionSessions::ToProto(parts, session);
  }
  void SetRepeated() override { response_.set_repeated_request(true); }
  Response& response() override { return response_; }

 private:
  const SessionOptions& options_;
  const bool changes_;
  StoryRequest story_;
  const QuestionAnswerer* model_ = nullptr;  // the job keeps it
  const StoryTask* task_ = nullptr;          // of the job
  Response response_;
};

}  // namespace heed
