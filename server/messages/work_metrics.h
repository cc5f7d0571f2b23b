// SPDX-License-Identifier: Apache-2.0
// What models did for requests, in the units of their kind.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/kinds/graph_classifier.h"
#include "models/kinds/language_model.h"
#include "models/kinds/translator.h"
#include "server/telemetry/metrics.h"

namespace heed {

// Of a sentence that is done.
void AddTokens(const SentenceResult& result, std::string_view model, Metrics& metrics);
// Of a query that is done.
void AddComputed(const GraphAnswer& answer, std::string_view model, Metrics& metrics);

// Of a text that is done: tokens that a language model has read, and that it has generated.
void AddTextTokens(int64_t read, int64_t generated, std::string_view model, Metrics& metrics);
void AddTextTokens(const GenerateResult& result, std::string_view model, Metrics& metrics);

}  // namespace heed
