// SPDX-License-Identifier: Apache-2.0
// A story of our own for `heed bench ask` and heed-soak.
#pragma once

#include "client/commands/story_file.h"

namespace heed::client {

// 8 facts and 5 questions between them, of bAbI's words.
Story BenchStory();

}  // namespace heed::client
