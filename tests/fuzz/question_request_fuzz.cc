// SPDX-License-Identifier: Apache-2.0
// Answer, Tell and Ask: facts, questions and options checked and run, as the service does, all of one conversation.
//
// Input: a byte that says which request; then its bytes.
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "heed/v1/questions.pb.h"
#include "models/kinds/question_answerer.h"
#include "server/messages/question_messages.h"
#include "tests/fuzz/fixture_models.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_mutator.h"

namespace heed {
namespace {

constexpr int64_t kMaxSentences = 64;
constexpr int kMaxSteps = 10'000;

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t selector) {
  if (selector % 3 == 0) return std::make_unique<v1::AnswerRequest>();
  if (selector % 3 == 1) return std::make_unique<v1::TellRequest>();
  return std::make_unique<v1::AskRequest>();
}

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateMessage(data, size, max_size, seed, MessageFor);
}

template <typename Request, typename Response>
void RunRequest(absl::string_view bytes, const QuestionAnswerer& model) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  absl::StatusOr<StoryRequest> story = ToStory(request, kMaxSentences);
  if (!story.ok()) return;
  story->state = model.NewState();
  absl::StatusOr<std::unique_ptr<StoryTask>> task = model.Start(*std::move(story));
  if (!task.ok()) {
    HEED_FUZZ_EXPECT(task.status().code() == absl::StatusCode::kInvalidArgument, task.status().ToString().c_str());
    return;
  }
  std::vector<std::unique_ptr<StoryTask>> tasks;
  tasks.push_back(*std::move(task));
  if (!RunTasks(model, tasks, kMaxSteps)) return;
  for (const QuestionAnswer& answer : tasks[0]->answers()) {
    HEED_FUZZ_EXPECT(!answer.candidates.empty(), "a question without an answer");
    for (const FactWeight& fact : answer.facts) HEED_FUZZ_EXPECT(std::isfinite(fact.weight), "a fact's weight");
  }
  if (tasks[0]->state() != nullptr) {
    HEED_FUZZ_EXPECT(model.ParseState(tasks[0]->state()->Serialize()).ok(), "a state is not read");
  }
  Response response;
  Fill(*tasks[0], model, response);
  response.ByteSizeLong();
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto selector = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  const auto& model = FixtureModel<QuestionAnswerer>("ntm-questions");
  if (selector % 3 == 0) return RunRequest<v1::AnswerRequest, v1::AnswerResponse>(input, model);
  if (selector % 3 == 1) return RunRequest<v1::TellRequest, v1::TellResponse>(input, model);
  RunRequest<v1::AskRequest, v1::AskResponse>(input, model);
}

}  // namespace

HEED_FUZZ_TARGET(question_request, Run, Mutate)

}  // namespace heed
