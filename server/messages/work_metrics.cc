// SPDX-License-Identifier: Apache-2.0
#include "server/messages/work_metrics.h"

#include "server/messages/translation_messages.h"

namespace heed {

void AddTokens(const SentenceResult& result, std::string_view model, Metrics& metrics) {
  const TokenCounts counts = CountTokens(result);
  metrics.Add(Metric::kSourceTokens, {model}, static_cast<double>(counts.source));
  metrics.Add(Metric::kTargetTokens, {model}, static_cast<double>(counts.target));
}

void AddComputed(const GraphAnswer& answer, std::string_view model, Metrics& metrics) {
  metrics.Add(Metric::kGraphNodes, {model}, static_cast<double>(answer.nodes_computed));
  metrics.Add(Metric::kGraphEdges, {model}, static_cast<double>(answer.edges_computed));
}

}  // namespace heed
