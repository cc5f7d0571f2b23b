// SPDX-License-Identifier: Apache-2.0
// Subtitles. Input: a byte that says whether they are WebVTT, and whether lines are kept; then the file.

#include "tests/fuzz/document_round_trip.h"

namespace heed {
namespace {

void RunSubtitleDocument(absl::string_view input) {
  if (input.empty()) return;
  client::DocumentOptions options;
  options.subtitles.keep_line_breaks = (input[0] & 2) != 0;
  RunDocument((input[0] & 1) != 0 ? client::DocumentFormat::kVtt : client::DocumentFormat::kSrt, options,
              input.substr(1), /*same_text_is_source=*/true);
}

}  // namespace

HEED_FUZZ_TARGET(subtitle_document, RunSubtitleDocument, nullptr)

}  // namespace heed
