// SPDX-License-Identifier: Apache-2.0
// HTML and XML, cut into parts. Input: a byte that says which of them; then the document.

#include "tests/fuzz/document_round_trip.h"

namespace heed {
namespace {

void RunMarkupParts(absl::string_view input) {
  if (input.empty()) return;
  RunDocument((input[0] & 1) != 0 ? client::DocumentFormat::kXml : client::DocumentFormat::kHtml, {}, input.substr(1),
              /*same_text_is_source=*/true);
}

}  // namespace

HEED_FUZZ_TARGET(markup_parts, RunMarkupParts, nullptr)

}  // namespace heed
