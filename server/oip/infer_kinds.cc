// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_kinds.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "server/oip/graph_front.h"
#include "server/oip/question_front.h"
#include "server/oip/sequence_front.h"
#include "server/oip/translator_front.h"

namespace heed {
namespace {

struct KindRow {
  ModelKind kind;
  ModelTensors (*tensors)(const Model& model);
  std::unique_ptr<InferFront> (*front)(const Model& model, const InferLimits& limits);
};

constexpr KindRow kKinds[] = {
    {ModelKind::kTranslator, TranslatorTensors, MakeTranslatorFront},
    {ModelKind::kNodeClassifier, GraphTensors, MakeGraphFront},
    {ModelKind::kEdgeClassifier, GraphTensors, MakeGraphFront},
    {ModelKind::kGraphClassifier, GraphTensors, MakeGraphFront},
    {ModelKind::kQuestionAnswerer, QuestionTensors, MakeQuestionFront},
    {ModelKind::kSequenceModel, SequenceTensors, MakeSequenceFront},
};

const KindRow& RowOf(const Model& model) {
  const KindRow* row =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const KindRow& one) { return one.kind == model.kind(); });
  HEED_CHECK(row != std::end(kKinds));
  return *row;
}

}  // namespace

ModelTensors TensorsOf(const Model& model) { return RowOf(model).tensors(model); }

std::unique_ptr<InferFront> MakeInferFront(const Model& model, const InferLimits& limits) {
  return RowOf(model).front(model, limits);
}

}  // namespace heed
