// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/question_answerer.h"

#include <utility>

#include "base/status_macros.h"
#include "models/kinds/probe.h"

namespace heed {

absl::Status QuestionAnswerer::Probe(Context& context) const {
  StoryRequest request;
  request.facts.emplace_back("word");
  request.questions.push_back({.text = "word"});
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<StoryTask> task, Start(std::move(request)));
  HEED_RETURN_IF_ERROR(RunToEnd(*this, *task, context));
  std::vector<float> probabilities;
  for (const QuestionAnswer& answer : task->answers()) {
    for (const AnswerCandidate& candidate : answer.candidates) probabilities.push_back(candidate.probability);
  }
  return CheckFinite(probabilities, "probabilities");
}

}  // namespace heed
