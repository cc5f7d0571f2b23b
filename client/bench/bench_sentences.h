// SPDX-License-Identifier: Apache-2.0
// English sentences of our own for `heed bench translate`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/console.h"

namespace heed::client {

// 40 of them, 2 to 20 words long, everyday speech and captions of photographs, long and short ones mixed.
std::vector<std::string> BenchSentences();

// The lines of the file `path`, or BenchSentences() if it is empty. An exit code after a message, or none.
std::optional<int> ReadBenchTexts(const std::string& path, std::vector<std::string>& texts, Console& console);

}  // namespace heed::client
