// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_kinds.h"

#include <string>

#include "base/check.h"
#include "engine/linear/precision.h"
#include "server/oip/graph_front.h"
#include "server/oip/language_front.h"
#include "server/oip/question_front.h"
#include "server/oip/sequence_front.h"
#include "server/oip/translator_front.h"

namespace heed {
namespace {

struct KindRow {
  ModelTensors (*tensors)(const Model& model);
  std::unique_ptr<InferFront> (*front)(const Model& model, const InferLimits& limits);
};

// A switch, so that the compiler names a kind that has no row.
KindRow RowOf(ModelKind kind) {
  switch (kind) {
    case ModelKind::kTranslator:
      return {TranslatorTensors, MakeTranslatorFront};
    case ModelKind::kNodeClassifier:
    case ModelKind::kEdgeClassifier:
    case ModelKind::kGraphClassifier:
      return {GraphTensors, MakeGraphFront};
    case ModelKind::kQuestionAnswerer:
      return {QuestionTensors, MakeQuestionFront};
    case ModelKind::kSequenceModel:
      return {SequenceTensors, MakeSequenceFront};
    case ModelKind::kLanguageModel:
      return {LanguageTensors, MakeLanguageFront};
  }
  HEED_CHECK(false);
}

}  // namespace

ModelTensors TensorsOf(const Model& model) {
  ModelTensors tensors = RowOf(model.kind()).tensors(model);
  tensors.properties["precision"] = std::string(PrecisionName(model.spec().precision));
  tensors.properties["kernel"] = model.spec().kernel;
  return tensors;
}

std::unique_ptr<InferFront> MakeInferFront(const Model& model, const InferLimits& limits) {
  return RowOf(model.kind()).front(model, limits);
}

}  // namespace heed
