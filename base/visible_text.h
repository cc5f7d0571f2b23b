// SPDX-License-Identifier: Apache-2.0
// Text from elsewhere (a server, a file, a flag) as it may be shown to a person.
#pragma once

#include <string>
#include <string_view>

#include "nlohmann/json_fwd.hpp"

namespace heed::client {

// Everything that a terminal obeys instead of showing it, or that makes it show other text in another order, is written
// out: controls (\x1b, \x9b, \x7f), bidirectional embeddings, overrides and isolates (\u202e), separators of lines and
// paragraphs (\u2028), and bytes that are not UTF-8 (\xff). The rest stays as it is, so that a second pass changes
// nothing.
//
// One line, or one column of it: tabs and ends of lines become blanks.
std::string VisibleLine(std::string_view text);
// Several lines: tabs and ends of lines stay.
std::string VisibleLines(std::string_view text);

// The value in one line or, with an `indent`, in several. The same characters are escaped (\u001b) as VisibleLine
// writes out, so that the value stays the same and a terminal shows it. What is not UTF-8 is replaced by U+FFFD.
std::string JsonText(const nlohmann::ordered_json& json, int indent = -1);

}  // namespace heed::client
