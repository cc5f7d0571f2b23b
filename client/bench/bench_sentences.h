// SPDX-License-Identifier: Apache-2.0
// English sentences of our own for `heed bench translate`.
#pragma once

#include <string>
#include <vector>

namespace heed::client {

// 40 of them, 2 to 20 words long, everyday speech and captions of photographs, long and short ones mixed.
std::vector<std::string> BenchSentences();

}  // namespace heed::client
