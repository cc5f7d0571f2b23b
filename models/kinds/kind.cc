// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/kind.h"

#include "base/check.h"

namespace heed {

absl::string_view KindName(ModelKind kind) {
  switch (kind) {
    case ModelKind::kTranslator:
      return "translator";
    case ModelKind::kNodeClassifier:
      return "node-classifier";
    case ModelKind::kEdgeClassifier:
      return "edge-classifier";
    case ModelKind::kGraphClassifier:
      return "graph-classifier";
    case ModelKind::kQuestionAnswerer:
      return "question-answerer";
    case ModelKind::kSequenceModel:
      return "sequence-model";
    case ModelKind::kLanguageModel:
      return "language-model";
  }
  HEED_CHECK(false);
}

}  // namespace heed
