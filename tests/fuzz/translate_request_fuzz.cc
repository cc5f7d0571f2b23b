// SPDX-License-Identifier: Apache-2.0
// Translate and TranslateStream: texts and options checked, cut, run and put together, as the service does.
//
// Input: a byte whose lowest bit asks for a stream, the others for a model; then a TranslateRequest.
#include <memory>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "heed/v1/translation.pb.h"
#include "models/kinds/translator.h"
#include "server/messages/translation_messages.h"
#include "tests/fuzz/fixture_models.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_mutator.h"

namespace heed {
namespace {

constexpr size_t kMaxTasks = 64;
constexpr int kMaxSteps = 200;  // the models have 96 positions

constexpr const char* kFixtures[] = {"marian-separate", "marian-gelu-untied"};

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t) { return std::make_unique<v1::TranslateRequest>(); }

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateMessage(data, size, max_size, seed, MessageFor);
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto selector = static_cast<uint8_t>(input[0]);
  const auto& model = FixtureModel<Translator>(kFixtures[selector / 2 % std::size(kFixtures)]);
  v1::TranslateRequest request;
  if (!request.ParseFromArray(input.data() + 1, static_cast<int>(input.size() - 1))) return;
  const std::vector<std::string> texts(request.texts().begin(), request.texts().end());
  const absl::StatusOr<TranslateOptions> options =
      ToTranslateOptions(request.options(), model.default_options(), selector % 2 == 1);
  if (!options.ok()) return;
  absl::StatusOr<StartedTranslation> started = model.Start(texts, *options);
  if (!started.ok()) {
    HEED_FUZZ_EXPECT(started.status().code() == absl::StatusCode::kInvalidArgument,
                     started.status().ToString().c_str());
    return;
  }
  HEED_FUZZ_EXPECT(started->trailing.size() == texts.size() && started->places.size() == started->tasks.size(),
                   "a translation's places");
  if (started->tasks.size() > kMaxTasks) return;  // as the scheduler would refuse them
  if (!RunTasks(model, started->tasks, kMaxSteps)) return;
  for (const auto& task : started->tasks) {
    HEED_FUZZ_EXPECT(!task->result().hypotheses.empty(), "a sentence without a translation");
    for (const Hypothesis& hypothesis : task->result().hypotheses) {
      HEED_FUZZ_EXPECT(!FirstInvalidUtf8(hypothesis.text), "a translation that is not UTF-8");
    }
    if (options->stream) {
      HEED_FUZZ_EXPECT(task->TakeText() == task->result().hypotheses[0].text, "a stream's text");
    }
  }
  std::vector<std::unique_ptr<Task>> tasks(std::make_move_iterator(started->tasks.begin()),
                                           std::make_move_iterator(started->tasks.end()));
  v1::TranslateResponse response;
  FillTranslations(tasks, started->places, started->trailing, ToSentenceDetail(request.options()), response);
  HEED_FUZZ_EXPECT(response.translations_size() == request.texts_size(), "a text without a translation");
}

}  // namespace

HEED_FUZZ_TARGET(translate_request, Run, Mutate)

}  // namespace heed
