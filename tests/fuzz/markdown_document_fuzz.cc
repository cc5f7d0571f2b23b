// SPDX-License-Identifier: Apache-2.0
// Markdown.

#include "tests/fuzz/document_round_trip.h"

namespace heed {
namespace {

void RunMarkdownDocument(absl::string_view input) {
  client::DocumentOptions options;
  options.markdown.front_matter = true;
  RunDocument(client::DocumentFormat::kMarkdown, options, input, /*same_text_is_source=*/true);
}

}  // namespace

HEED_FUZZ_TARGET(markdown_document, RunMarkdownDocument, nullptr)

}  // namespace heed
