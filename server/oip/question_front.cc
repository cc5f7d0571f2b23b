// SPDX-License-Identifier: Apache-2.0
#include "server/oip/question_front.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "heed/v1/questions.pb.h"
#include "models/kinds/question_answerer.h"
#include "server/messages/question_messages.h"

namespace heed {
namespace {

// An error about a StoryRequest, which here is made of tensors.
absl::Status AboutTensors(const absl::Status& status) {
  const std::string field = FieldOf(status);
  absl::string_view element = field;  // "[2]"
  if (absl::ConsumePrefix(&element, "questions") && absl::ConsumeSuffix(&element, ".after_fact_count")) {
    return InvalidField(absl::StrCat("inputs \"after_facts\"", element), FieldDescription(status));
  }
  return Renamed(status, {{"facts", "inputs \"story\": fact"}, {"questions", "inputs \"question\""}, kOptionsField},
                 "inputs: ");
}

class QuestionFront : public InferFront {
 public:
  QuestionFront(const QuestionAnswerer& model, int64_t most) : model_(model), most_(most) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters, const OutputTensors&,
                              bool) override {
    v1::AnswerRequest request;
    HEED_RETURN_IF_ERROR(SetOptionsFrom(parameters, *request.mutable_options()));
    for (const char* input : {"story", "question"}) {
      HEED_RETURN_IF_ERROR(CheckUtf8(input, inputs.strings(input)));
    }
    // A fact may be several lines of text, each a fact.
    for (const std::string& element : inputs.strings("story")) {
      for (const absl::string_view line : absl::StrSplit(element, '\n', absl::SkipWhitespace())) {
        request.add_facts(std::string(line));
      }
    }
    const std::vector<std::string>& questions = inputs.strings("question");
    if (questions.empty()) return InvalidField("inputs \"question\"", "shape: is [0], at least [1]");
    for (const std::string& question : questions) request.add_questions()->set_text(question);
    if (inputs.Has("after_facts")) {
      const std::vector<int64_t>& after = inputs.integers("after_facts");
      if (after.size() != questions.size()) {
        return InvalidField("inputs \"after_facts\"", "shape: is [", after.size(), "], must be that of \"question\", [",
                            questions.size(), "]");
      }
      for (size_t i = 0; i < after.size(); ++i) {
        request.mutable_questions(static_cast<int>(i))->set_after_fact_count(after[i]);
      }
    }
    absl::StatusOr<StoryRequest> story = ToStory(request, most_);
    absl::StatusOr<std::unique_ptr<StoryTask>> task =
        story.ok() ? model_.Start(*std::move(story)) : absl::StatusOr<std::unique_ptr<StoryTask>>(story.status());
    if (!task.ok()) return AboutTensors(task.status());
    Tasks tasks;
    tasks.push_back(*std::move(task));
    return tasks;
  }

  void Count(const Task&, Metrics&) const override {}

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    v1::AnswerResponse response;
    Fill(static_cast<const StoryTask&>(*tasks[0]), model_, response);
    std::vector<std::string> answers, details;
    std::vector<float> probabilities;
    for (const v1::QuestionAnswer& answer : response.answers()) {
      answers.push_back(answer.text());
      probabilities.push_back(answer.candidates(0).probability());
      if (outputs.Wants("details")) details.push_back(ToJson(answer));
    }
    const std::vector<int64_t> shape = {Size(answers)};
    outputs.Set("answer", shape, answers);
    outputs.Set("probability", shape, probabilities);
    outputs.Set("details", shape, details);
  }

 private:
  const QuestionAnswerer& model_;
  const int64_t most_;
};

}  // namespace

ModelTensors QuestionTensors(const Model&) {
  return {.inputs = {{"story", TensorType::kBytes, {kAnySize}, false, "facts, in the order in which they are told"},
                     {"question", TensorType::kBytes, {kAnySize}, false, "each about the facts before it"},
                     {"after_facts",
                      TensorType::kInt64,
                      {kAnySize},
                      true,
                      "for each question: how many facts are told before it; without: all"}},
          .outputs = {{"answer", TensorType::kBytes, {kAnySize}, false, "the likeliest one, to each question"},
                      {"probability", TensorType::kFp32, {kAnySize}, false, "of each answer"},
                      {"details",
                       TensorType::kBytes,
                       {kAnySize},
                       true,
                       "JSON of heed.v1.QuestionAnswer: top_k answers, facts and reads, as asked for"}},
          .properties = {{"parameters", DescribeOptions(*v1::QuestionAnswerOptions::descriptor())},
                         {"optional_inputs", "after_facts"}}};
}

std::unique_ptr<InferFront> MakeQuestionFront(const Model& model, const InferLimits& limits) {
  return std::make_unique<QuestionFront>(ModelAs<QuestionAnswerer>(model), limits.start.max_tasks);
}

}  // namespace heed
