// SPDX-License-Identifier: Apache-2.0
// The requests of heed.v1.LanguageModelingService: texts, gaps and options checked and run, as the service does.
//
// Input: a byte that says which request; then its bytes.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"
#include "server/language/text_methods.h"
#include "server/messages/generation_messages.h"
#include "tests/fuzz/fixture_models.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_mutator.h"

namespace heed {
namespace {

constexpr int kKinds = 8;
constexpr int64_t kMaxTexts = 16;
constexpr int kMaxGeneratedTokens = 64;
constexpr int kMaxSteps = 100'000;

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t selector) {
  switch (selector % kKinds) {
    case 0:
      return std::make_unique<v1::ScoreRequest>();
    case 1:
      return std::make_unique<v1::GenerateRequest>();
    case 2:
      return std::make_unique<v1::FillInRequest>();
    case 3:
      return std::make_unique<v1::ClassifyTextsRequest>();
    case 4:
      return std::make_unique<v1::TagTextsRequest>();
    case 5:
      return std::make_unique<v1::AnswerFromTextRequest>();
    case 6:
      return std::make_unique<v1::EmbedTextsRequest>();
    default:
      return std::make_unique<v1::ReadTextRequest>();
  }
}

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateMessage(data, size, max_size, seed, MessageFor);
}

void ExpectRefusal(const absl::Status& status) {
  HEED_FUZZ_EXPECT(absl::IsInvalidArgument(status) || absl::IsUnimplemented(status), status.ToString().c_str());
}

template <typename Message>
bool Parse(absl::string_view bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// The message as `Method` has it, to the model of a fixture.
template <typename Method>
void RunMethod(absl::string_view bytes, const std::string& fixture) {
  typename Method::Message message;
  if (!Parse(bytes, message)) return;
  auto requests = Method::Convert(message, kMaxTexts);
  if (!requests.ok()) return ExpectRefusal(requests.status());
  const auto& model = FixtureModel<LanguageModel>(fixture);
  const auto tasks = StartAll<Method>(model, *std::move(requests), StartLimits{});
  if (!tasks.ok()) return ExpectRefusal(tasks.status());
  if (!RunTasks(model, *tasks, kMaxSteps)) return;
  typename Method::Response response;
  FillAll<Method>(message, *tasks, response);
  response.ByteSizeLong();
}

void RunGenerate(absl::string_view bytes) {
  v1::GenerateRequest message;
  if (!Parse(bytes, message) || !CheckCommit(message).ok()) return;
  const auto& model = FixtureModel<LanguageModel>("xlnet-lm");
  auto options = ToGenerateOptions(message.options(), model.default_options(), /*stream=*/false);
  if (!options.ok()) return ExpectRefusal(options.status());
  if (options->max_tokens > kMaxGeneratedTokens) return;
  auto task = model.StartGenerate({.prompt = message.prompt(), .options = *options}, StartLimits{});
  if (!task.ok()) return ExpectRefusal(task.status());
  std::vector<std::unique_ptr<GenerateTask>> tasks;
  tasks.push_back(*std::move(task));
  if (!RunTasks(model, tasks, kMaxSteps)) return;
  v1::GenerateResponse response;
  Fill(tasks[0]->result(), *options, response);
  response.ByteSizeLong();
}

void RunRead(absl::string_view bytes) {
  v1::ReadTextRequest message;
  if (!Parse(bytes, message)) return;
  auto request = ToRead(message);
  if (!request.ok()) return ExpectRefusal(request.status());
  const auto& model = FixtureModel<LanguageModel>("xlnet-lm");
  request->state = model.NewState();
  auto task = model.StartScore(*std::move(request), StartLimits{});
  if (!task.ok()) return ExpectRefusal(task.status());
  std::vector<std::unique_ptr<ScoreTask>> tasks;
  tasks.push_back(*std::move(task));
  if (!RunTasks(model, tasks, kMaxSteps)) return;
  HEED_FUZZ_EXPECT(tasks[0]->state() != nullptr, "a text that was read leaves no state");
  HEED_FUZZ_EXPECT(model.ParseState(tasks[0]->state()->Serialize()).ok(), "a state is not read");
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto selector = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  switch (selector % kKinds) {
    case 0:
      return RunMethod<ScoreMethod>(input, "xlnet-lm");
    case 1:
      return RunGenerate(input);
    case 2:
      return RunMethod<FillInMethod>(input, "xlnet-lm");
    case 3:
      return RunMethod<ClassifyMethod>(input, "xlnet-classify");
    case 4:
      return RunMethod<TagMethod>(input, "xlnet-tag");
    case 5:
      return RunMethod<AnswerMethod>(input, "xlnet-answer");
    case 6:
      return RunMethod<EmbedMethod>(input, "xlnet-lm");
    default:
      return RunRead(input);
  }
}

}  // namespace

HEED_FUZZ_TARGET(language_request, Run, Mutate)

}  // namespace heed
