// SPDX-License-Identifier: Apache-2.0
// What models did for requests, in the units of their kind.
#pragma once

#include <string_view>

#include "models/kinds/graph_classifier.h"
#include "models/kinds/translator.h"
#include "server/telemetry/metrics.h"

namespace heed {

// Of a sentence that is done.
void AddTokens(const SentenceResult& result, std::string_view model, Metrics& metrics);
// Of a query that is done.
void AddComputed(const GraphAnswer& answer, std::string_view model, Metrics& metrics);

}  // namespace heed
