// SPDX-License-Identifier: Apache-2.0
// What a model is for. A kind has an interface (translator.h, graph_classifier.h, ...) and a row in the tables of
// server/oip/infer_kinds.cc and server/services; docs/adding-a-kind.md says which.
#pragma once

#include "absl/strings/string_view.h"

namespace heed {

enum class ModelKind {
  kTranslator,
  kNodeClassifier,
  kEdgeClassifier,
  kGraphClassifier,
  kQuestionAnswerer,
  kSequenceModel,
  kLanguageModel,
};

// "node-classifier"
absl::string_view KindName(ModelKind kind);

}  // namespace heed
