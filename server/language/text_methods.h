// SPDX-License-Identifier: Apache-2.0
// The methods of one answer that give a language model one task for each of their texts, each in a few lines: how its
// message becomes requests, which Start takes them, and how a result becomes a part of the response.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"
#include "server/messages/score_messages.h"
#include "server/messages/text_head_messages.h"

namespace heed {

struct ScoreMethod {
  using Message = v1::ScoreRequest;
  using Response = v1::ScoreResponse;
  using Request = ScoreRequest;
  using Task = ScoreTask;
  static constexpr char kName[] = "heed.v1.LanguageModelingService/Score";

  static auto Convert(const Message& message, int64_t most) { return ToScores(message, most); }
  static auto Start(const LanguageModel& model, Request request, const StartLimits& limits) {
    return model.StartScore(std::move(request), limits);
  }
  static absl::Status About(const absl::Status& status, int64_t item) { return AboutScoreItem(status, item); }
  static int64_t TokensOf(const ScoreResult& result) { return result.tokens; }
  static void FillNext(const Message& message, const Task& task, Response& response) {
    Fill(task.result(), *ToScoreOptions(message.options()), *response.add_scores());
  }
};

struct FillInMethod {
  using Message = v1::FillInRequest;
  using Response = v1::FillInResponse;
  using Request = FillInRequest;
  using Task = FillInTask;
  static constexpr char kName[] = "heed.v1.LanguageModelingService/FillIn";

  static auto Convert(const Message& message, int64_t most) { return ToFillIns(message, most); }
  static auto Start(const LanguageModel& model, Request request, const StartLimits& limits) {
    return model.StartFillIn(std::move(request), limits);
  }
  static absl::Status About(const absl::Status& status, int64_t item) { return AboutFillInItem(status, item); }
  static int64_t TokensOf(const FillInResult& result) { return result.tokens; }
  static void FillNext(const Message& message, const Task& task, Response& response) {
    Fill(task.result(), message.return_attention(), *response.add_texts());
  }
};

struct ClassifyMethod {
  using Message = v1::ClassifyTextsRequest;
  using Response = v1::ClassifyTextsResponse;
  using Request = TextClassificationRequest;
  using Task = TextClassificationTask;
  static constexpr char kName[] = "heed.v1.LanguageModelingService/ClassifyTexts";

  static auto Convert(const Message& message, int64_t most) { return ToClassifications(message, most); }
  static auto Start(const LanguageModel& model, Request request, const StartLimits& limits) {
    return model.StartClassify(std::move(request), limits);
  }
  static absl::Status About(const absl::Status& status, int64_t item) { return AboutClassificationItem(status, item); }
  static int64_t TokensOf(const TextClassification& result) { return result.tokens; }
  static void FillNext(const Message& message, const Task& task, Response& response) {
    Fill(task.result(), message.return_attention(), *response.add_items());
  }
};

struct TagMethod {
  using Message = v1::TagTextsRequest;
  using Response = v1::TagTextsResponse;
  using Request = TagRequest;
  using Task = TagTask;
  static constexpr char kName[] = "heed.v1.LanguageModelingService/TagTexts";

  static auto Convert(const Message& message, int64_t most) { return ToTags(message, most); }
  static auto Start(const LanguageModel& model, Request request, const StartLimits& limits) {
    return model.StartTag(std::move(request), limits);
  }
  static absl::Status About(const absl::Status& status, int64_t item) { return AboutTagItem(status, item); }
  static int64_t TokensOf(const TagResult& result) { return result.tokens; }
  static void FillNext(const Message& message, const Task& task, Response& response) {
    Fill(task.result(), message.return_attention(), *response.add_texts());
  }
};

struct AnswerMethod {
  using Message = v1::AnswerFromTextRequest;
  using Response = v1::AnswerFromTextResponse;
  using Request = AnswerFromTextRequest;
  using Task = AnswerFromTextTask;
  static constexpr char kName[] = "heed.v1.LanguageModelingService/AnswerFromText";

  static auto Convert(const Message& message, int64_t most) { return ToAnswers(message, most); }
  static auto Start(const LanguageModel& model, Request request, const StartLimits& limits) {
    return model.StartAnswer(std::move(request), limits);
  }
  static absl::Status About(const absl::Status& status, int64_t item) { return AboutAnswerItem(status, item); }
  static int64_t TokensOf(const AnswerFromTextResult& result) { return result.tokens; }
  static void FillNext(const Message& message, const Task& task, Response& response) {
    Fill(task.result(), message.return_attention(), *response.add_questions());
  }
};

struct EmbedMethod {
  using Message = v1::EmbedTextsRequest;
  using Response = v1::EmbedTextsResponse;
  using Request = EmbedRequest;
  using Task = EmbedTask;
  static constexpr char kName[] = "heed.v1.LanguageModelingService/EmbedTexts";

  static auto Convert(const Message& message, int64_t most) { return ToEmbeddings(message, most); }
  static auto Start(const LanguageModel& model, Request request, const StartLimits& limits) {
    return model.StartEmbed(std::move(request), limits);
  }
  static absl::Status About(const absl::Status& status, int64_t item) { return AboutEmbeddingItem(status, item); }
  static int64_t TokensOf(const EmbedResult& result) { return result.token_count; }
  static void FillNext(const Message& message, const Task& task, Response& response) {
    Fill(task.result(), message.return_attention(), *response.add_texts());
  }
};

// One task for each of `requests`; the limits are for all of them together. Errors are about the message.
template <typename Method>
absl::StatusOr<std::vector<std::unique_ptr<Task>>> StartAll(const LanguageModel& model,
                                                            std::vector<typename Method::Request> requests,
                                                            StartLimits limits) {
  std::vector<std::unique_ptr<Task>> tasks;
  for (typename Method::Request& request : requests) {
    HEED_RETURN_IF_ERROR(limits.Check());
    auto task = Method::Start(model, std::move(request), limits);
    if (!task.ok()) return Method::About(task.status(), static_cast<int64_t>(tasks.size()));
    if (!(*task)->finished()) limits.max_rows = std::max<int64_t>(0, limits.max_rows - (*task)->next_rows());
    tasks.push_back(*std::move(task));
  }
  return tasks;
}

// The response's parts, from tasks that are finished without an error.
template <typename Method>
void FillAll(const typename Method::Message& message, absl::Span<const std::unique_ptr<Task>> tasks,
             typename Method::Response& response) {
  for (const auto& task : tasks) {
    Method::FillNext(message, static_cast<const typename Method::Task&>(*task), response);
  }
}

}  // namespace heed
