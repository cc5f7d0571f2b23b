// SPDX-License-Identifier: Apache-2.0
// HTML as browsers tokenize it.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "models/markup/markup_tokens.h"

namespace heed {

// The tokens of `source`, which is UTF-8 of less than 4 GiB. Anything is HTML. Takes linear time.
std::vector<MarkupToken> ScanHtml(absl::string_view source);

}  // namespace heed
