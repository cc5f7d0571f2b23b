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

void AddTextTokens(int64_t read, int64_t generated, std::string_view model, Metrics& metrics) {
  metrics.Add(Metric::kTextTokensRead, {model}, static_cast<double>(read));
  metrics.Add(Metric::kTextTokensGenerated, {model}, static_cast<double>(generated));
}

void AddTextTokens(const GenerateResult& result, std::string_view model, Metrics& metrics) {
  int64_t generated = 0;
  for (const GeneratedText& text : result.texts) generated += text.token_count;
  AddTextTokens(result.prompt_tokens, generated, model, metrics);
}

}  // namespace heed
