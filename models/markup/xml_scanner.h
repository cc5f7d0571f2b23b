// SPDX-License-Identifier: Apache-2.0
// XML, checked.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/markup/markup_tokens.h"

namespace heed {

// The tokens of `source`, which is UTF-8 of less than 4 GiB: content of XML, that is text and elements, with a
// declaration and a document type before them if there are any. INVALID_ARGUMENT if it is not well-formed: with line
// and column (in characters), and what was expected. Entities need no declaration. Takes linear time.
absl::StatusOr<std::vector<MarkupToken>> ScanXml(absl::string_view source);

}  // namespace heed
