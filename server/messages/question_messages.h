// SPDX-License-Identifier: Apache-2.0
// Between heed.v1's messages of question answering and the types of models/kinds/question_answerer.h and
// server/sessions.h.
//
// What comes from a message is checked for its shape here: something to do, options within their range. Sentences are
// the model's to check. Errors are INVALID_ARGUMENT and name the field.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "heed/v1/questions.pb.h"
#include "models/kinds/question_answerer.h"
#include "server/sessions/session_store.h"

namespace heed {

// Without a state. At most `most` facts and as many questions.
absl::StatusOr<StoryRequest> ToStory(const v1::AnswerRequest& request, int64_t most);
absl::StatusOr<StoryRequest> ToStory(const v1::TellRequest& request, int64_t most);
absl::StatusOr<StoryRequest> ToStory(const v1::AskRequest& request, int64_t most);

// Sets what the options say.
absl::Status SetOptions(const v1::QuestionAnswerOptions& options, StoryRequest& story);

// `model_version`: of the model, with the session's weights; 0: none serves. `idle_limit`: SessionOptions::idle_limit.
v1::QuestionSession ToProto(const Session& session, int64_t model_version, Clock::duration idle_limit);

// `task`, of `model`, is finished without an error.
void Fill(const StoryTask& task, const QuestionAnswerer& model, v1::AnswerResponse& response);
void Fill(const StoryTask& task, const QuestionAnswerer& model, v1::TellResponse& response);
void Fill(const StoryTask& task, const QuestionAnswerer& model, v1::AskResponse& response);

}  // namespace heed
