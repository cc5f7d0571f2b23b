// SPDX-License-Identifier: Apache-2.0
// JSON files of messages.

#include "tests/fuzz/document_round_trip.h"

namespace heed {
namespace {

void RunJsonDocument(absl::string_view input) {
  RunDocument(client::DocumentFormat::kJson, {}, input, /*same_text_is_source=*/true);
}

}  // namespace

HEED_FUZZ_TARGET(json_document, RunJsonDocument, nullptr)

}  // namespace heed
