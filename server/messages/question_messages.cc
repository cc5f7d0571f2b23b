// SPDX-License-Identifier: Apache-2.0
#include "server/messages/question_messages.h"

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/messages/request_id.h"

namespace heed {
namespace {

// Whose answers a session keeps for one request_id.
constexpr int64_t kMaxRecordedQuestions = 64;

absl::Status CheckSize(absl::string_view field, int64_t size, int64_t least, int64_t most) {
  if (size < least) return InvalidField(field, size, ", at least ", least);
  if (size > most) return InvalidField(field, size, ", at most ", most);
  return absl::OkStatus();
}

v1::QuestionAnswer ToProto(const QuestionAnswer& from, const std::vector<int>& shift_offsets) {
  v1::QuestionAnswer to;
  to.set_text(from.candidates.front().text);
  for (const AnswerCandidate& candidate : from.candidates) {
    v1::QuestionAnswer::Candidate& added = *to.add_candidates();
    added.set_text(candidate.text);
    added.set_probability(candidate.probability);
  }
  to.mutable_unknown_words()->Assign(from.unknown_words.begin(), from.unknown_words.end());
  for (const FactWeight& fact : from.facts) {
    v1::QuestionAnswer::FactWeight& added = *to.add_facts();
    added.set_fact(fact.fact);
    added.set_text(fact.text);
    added.set_weight(fact.weight);
  }
  for (const HeadRead& read : from.reads) {
    v1::QuestionAnswer::Read& added = *to.add_reads();
    added.set_step(read.step);
    added.set_head(read.head);
    added.mutable_weights()->Assign(read.weights.begin(), read.weights.end());
    added.set_strength(read.strength);
    added.set_gate(read.gate);
    added.mutable_shifts()->Assign(read.shifts.begin(), read.shifts.end());
    added.mutable_shift_offsets()->Assign(shift_offsets.begin(), shift_offsets.end());
    added.set_sharpening(read.sharpening);
  }
  return to;
}

template <typename Response>
void FillAnswers(const StoryTask& task, const QuestionAnswerer& model, Response& response) {
  for (const QuestionAnswer& answer : task.answers()) {
    *response.add_answers() = ToProto(answer, model.shift_offsets());
  }
}

template <typename Response>
void FillUnknownWords(const StoryTask& task, Response& response) {
  response.mutable_unknown_words()->Assign(task.unknown_words().begin(), task.unknown_words().end());
}

}  // namespace

absl::StatusOr<StoryRequest> ToStory(const v1::AnswerRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckSize("facts", request.facts_size(), 0, most));
  HEED_RETURN_IF_ERROR(CheckSize("questions", request.questions_size(), 1, most));
  StoryRequest story;
  HEED_RETURN_IF_ERROR(SetOptions(request.options(), story));
  story.facts.assign(request.facts().begin(), request.facts().end());
  for (const v1::AnswerRequest::Question& question : request.questions()) {
    StoryQuestion& added = story.questions.emplace_back();
    added.text = question.text();
    if (question.has_after_fact_count()) added.after_facts = question.after_fact_count();
  }
  return story;
}

absl::StatusOr<StoryRequest> ToStory(const v1::TellRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckSize("facts", request.facts_size(), 1, most));
  HEED_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  StoryRequest story;
  story.facts.assign(request.facts().begin(), request.facts().end());
  return story;
}

absl::StatusOr<StoryRequest> ToStory(const v1::AskRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckSize("questions", request.questions_size(), 1, most));
  HEED_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  StoryRequest story;
  HEED_RETURN_IF_ERROR(SetOptions(request.options(), story));
  for (const std::string& question : request.questions()) story.questions.emplace_back().text = question;
  story.commit = request.commit();
  if (story.commit && !request.request_id().empty()) {
    // The session keeps the answers.
    if (request.questions_size() > kMaxRecordedQuestions) {
      return InvalidField("questions", request.questions_size(), " in a commit with a request_id, at most ",
                          kMaxRecordedQuestions);
    }
  }
  return story;
}

absl::Status SetOptions(const v1::QuestionAnswerOptions& options, StoryRequest& story) {
  if (options.has_top_k() && options.top_k() < 0) {
    return InvalidField("options.top_k", options.top_k(), ", must be at least 0, all");
  }
  if (options.has_top_k()) story.top = options.top_k();
  story.return_attribution = options.return_attribution();
  story.return_reads = options.return_reads();
  return absl::OkStatus();
}

v1::QuestionSession ToProto(const Session& session, int64_t model_version, Clock::duration idle_limit) {
  v1::QuestionSession to;
  to.set_name(session.id);
  to.set_model(session.model_name);
  to.set_model_version(model_version);
  to.set_version(session.version);
  to.set_fact_count(session.state->units());
  if (idle_limit > Clock::duration::zero()) {
    *to.mutable_idle_limit() = google::protobuf::util::TimeUtil::NanosecondsToDuration(
        std::chrono::duration_cast<std::chrono::nanoseconds>(idle_limit).count());
  }
  return to;
}

void Fill(const StoryTask& task, const QuestionAnswerer& model, v1::AnswerResponse& response) {
  FillAnswers(task, model, response);
  FillUnknownWords(task, response);
  response.set_model(model.spec().name);
}

void Fill(const StoryTask& task, const QuestionAnswerer&, v1::TellResponse& response) {
  FillUnknownWords(task, response);
}

void Fill(const StoryTask& task, const QuestionAnswerer& model, v1::AskResponse& response) {
  FillAnswers(task, model, response);
}

}  // namespace heed
