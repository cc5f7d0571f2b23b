// SPDX-License-Identifier: Apache-2.0
// Lines of a text, and a text divided over several places.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace heed::client {

// Columns that text takes on a screen, see DisplayWidth.
int ColumnsOf(absl::string_view text);

// Where a text may be cut: before each word but the first, and between characters of scripts that have no blanks.
// `end` is where the part before the cut ends, `begin` where the part behind it begins (behind the blanks).
struct TextCut {
  size_t end = 0;
  size_t begin = 0;
};
std::vector<TextCut> CutsOf(absl::string_view text);

// The cuts that divide a text into `weights.size()` parts whose widths are as the weights, as far as words allow; one
// less than parts. No part is empty as long as the text has as many characters. A part ends behind a punctuation mark
// if one is near. None if the text has fewer characters than parts.
std::vector<TextCut> DivideText(absl::string_view text, const std::vector<double>& weights);

// The cuts that make lines of at most `width` columns; a longer word has a line to itself. As few lines as possible.
// `balanced`: lines of about the same width, cut also between characters of scripts that have no blanks; otherwise cut
// at blanks alone, and each line takes as many words as fit.
std::vector<TextCut> WrapText(absl::string_view text, int width, bool balanced);

// Whether the text ends as a sentence does: ".", "?", "!", "…", also behind a quotation mark or a bracket; or a bracket
// or a note (♪) ends it.
bool EndsSentence(absl::string_view text);
// Whether the first letter is a small one.
bool BeginsSmall(absl::string_view text);

}  // namespace heed::client
