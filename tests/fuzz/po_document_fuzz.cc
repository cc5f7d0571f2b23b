// SPDX-License-Identifier: Apache-2.0
// Message files of gettext.

#include "absl/strings/match.h"
#include "tests/fuzz/document_round_trip.h"

namespace heed {
namespace {

void RunPoDocument(absl::string_view input) {
  if (absl::StrContains(input, "CHARSET")) return;  // the header is corrected
  RunDocument(client::DocumentFormat::kPo, {}, input, /*same_text_is_source=*/false);
}

}  // namespace

HEED_FUZZ_TARGET(po_document, RunPoDocument, nullptr)

}  // namespace heed
