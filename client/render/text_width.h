// SPDX-License-Identifier: Apache-2.0
// How text looks on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace heed::client {

// Columns that UTF-8 text takes: 2 for wide East Asian characters and emoji, 0 for combining marks and controls. A byte
// that is not UTF-8 takes 1.
int DisplayWidth(std::string_view text);

// Blanks after (or before) `text` up to `width` columns; a longer text stays as it is.
std::string PadRight(std::string_view text, int width);
std::string PadLeft(std::string_view text, int width);

}  // namespace heed::client
