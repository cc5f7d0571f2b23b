// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/graph_classifier.h"

#include <utility>

#include "base/status_macros.h"
#include "models/kinds/probe.h"

namespace heed {

// The features are ones: a row of zeros would meet no weight of the first layer.
absl::Status GraphClassifier::Probe(Context& context) const {
  GraphArrays arrays;
  arrays.features.rows = 2;
  arrays.features.width = feature_width();
  arrays.features.values.assign(static_cast<size_t>(2 * feature_width()), 1.0f);
  arrays.sources = {0};
  arrays.targets = {1};
  arrays.edge_feature_width = edge_feature_width();
  arrays.edge_features.assign(static_cast<size_t>(edge_feature_width()), 1.0f);
  GraphQuery query;
  HEED_ASSIGN_OR_RETURN(query.graph, Graph::Build(std::move(arrays)));
  query.all = kind() != ModelKind::kGraphClassifier;
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<GraphQueryTask> task, Start(std::move(query)));
  HEED_RETURN_IF_ERROR(RunToEnd(*this, *task, context));
  return CheckFinite(task->answer().probabilities, "probabilities");
}

}  // namespace heed
