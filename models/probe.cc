#include "models/probe.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "models/architectures.h"
#include "models/kinds/graph_classifier.h"
#include "models/kinds/question_answerer.h"
#include "models/kinds/sequence_model.h"
#include "models/kinds/translator.h"

namespace heed {
namespace {

// A probe that takes more steps than this does not end.
constexpr int kMaxSteps = 1000;

absl::Status Run(const Model& model, Task& task, Context& context) {
  for (int step = 0; !task.finished(); ++step) {
    if (step == kMaxSteps) return absl::InternalError(absl::StrCat("has not ended after ", kMaxSteps, " steps"));
    Task* const tasks[] = {&task};
    model.Step(tasks, context);
  }
  return task.error();
}

absl::Status CheckFinite(absl::Span<const float> values, absl::string_view what) {
  if (values.empty()) return absl::InternalError(absl::StrCat("gave no ", what));
  const auto wrong = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (wrong == values.end()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(what, "[", wrong - values.begin(), "] is ", *wrong));
}

absl::Status ProbeTranslator(const Translator& model, Context& context) {
  TranslateOptions options = model.default_options();
  options.max_tokens = 4;
  options.min_tokens = 0;
  HEED_ASSIGN_OR_RETURN(const StartedTranslation started, model.Start({"word"}, options));
  for (const auto& task : started.tasks) {
    HEED_RETURN_IF_ERROR(Run(model, *task, context));
    if (task->result().hypotheses.empty()) return absl::InternalError("gave no translation");
    const float score[] = {task->result().hypotheses[0].score};
    HEED_RETURN_IF_ERROR(CheckFinite(score, "score"));
  }
  return absl::OkStatus();
}

absl::Status ProbeQuestionAnswerer(const QuestionAnswerer& model, Context& context) {
  StoryRequest request;
  request.facts.emplace_back("word");
  request.questions.push_back({.text = "word"});
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<StoryTask> task, model.Start(std::move(request)));
  HEED_RETURN_IF_ERROR(Run(model, *task, context));
  std::vector<float> probabilities;
  for (const QuestionAnswer& answer : task->answers()) {
    for (const AnswerCandidate& candidate : answer.candidates) probabilities.push_back(candidate.probability);
  }
  return CheckFinite(probabilities, "probabilities");
}

absl::Status ProbeSequenceModel(const SequenceModel& model, Context& context) {
  SequenceRequest request;
  request.width = model.input_width();
  request.values.assign(static_cast<size_t>(2 * request.width), 1.0f);
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<SequenceTask> task, model.Start(std::move(request)));
  HEED_RETURN_IF_ERROR(Run(model, *task, context));
  return CheckFinite(task->result().values, "outputs");
}

// Two nodes and an edge. Of ones: a row of zeros would meet no weight of the first layer.
absl::Status ProbeGraphClassifier(const GraphClassifier& model, Context& context) {
  GraphArrays arrays;
  arrays.features.rows = 2;
  arrays.features.width = model.feature_width();
  arrays.features.values.assign(static_cast<size_t>(2 * model.feature_width()), 1.0f);
  arrays.sources = {0};
  arrays.targets = {1};
  arrays.edge_feature_width = model.edge_feature_width();
  arrays.edge_features.assign(static_cast<size_t>(model.edge_feature_width()), 1.0f);
  GraphQuery query;
  HEED_ASSIGN_OR_RETURN(query.graph, Graph::Build(std::move(arrays)));
  query.all = model.spec().kind != kGraphClassifier;
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<GraphQueryTask> task, model.Start(std::move(query)));
  HEED_RETURN_IF_ERROR(Run(model, *task, context));
  return CheckFinite(task->answer().probabilities, "probabilities");
}

absl::Status ProbeAsItsKind(const Model& model, Context& context) {
  if (const auto* translator = dynamic_cast<const Translator*>(&model)) return ProbeTranslator(*translator, context);
  if (const auto* answerer = dynamic_cast<const QuestionAnswerer*>(&model)) {
    return ProbeQuestionAnswerer(*answerer, context);
  }
  if (const auto* sequences = dynamic_cast<const SequenceModel*>(&model)) {
    return ProbeSequenceModel(*sequences, context);
  }
  if (const auto* graphs = dynamic_cast<const GraphClassifier*>(&model)) return ProbeGraphClassifier(*graphs, context);
  return absl::OkStatus();
}

}  // namespace

absl::Status Probe(const Model& model, Context& context) {
  const absl::Status status = ProbeAsItsKind(model, context);
  if (status.ok()) return status;
  return absl::InternalError(absl::StrCat(model.spec().name, ": a first input failed: ", status.message()));
}

absl::StatusOr<std::shared_ptr<const Model>> LoadProbedModel(const std::string& path, const std::string& name) {
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, LoadModel(path, name));
  Context context(1);
  HEED_RETURN_IF_ERROR(Probe(*model, context));
  return model;
}

}  // namespace heed
