// SPDX-License-Identifier: Apache-2.0
// Text that somebody else chose, for a page that people read in a terminal.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// `text` with what would end its line or steer a terminal written as \xNN, byte by byte: control characters (C0, DEL,
// C1), line and paragraph separators, marks that change the direction of writing, and bytes that are not UTF-8.
std::string OneLine(absl::string_view text);

}  // namespace heed
