// SPDX-License-Identifier: Apache-2.0
// Subtitles: SubRip (.srt) and WebVTT (.vtt).
//
// Indexes, times, settings and the blocks NOTE, STYLE and REGION stay. A sentence that goes across cues is one segment;
// its translation is divided over them again by the width of their texts. Where lines of a cue begin with a dash, each
// speaker is a segment.
#pragma once

#include <memory>

#include "client/documents/document.h"
#include "client/documents/text_input.h"

namespace heed::client {

struct SubtitleOptions {
  bool vtt = false;
  int line_columns = 42;          // lines of a translated cue are broken there
  bool keep_line_breaks = false;  // instead: as many lines as the source has
};

// Reads cue by cue. Borrows the input.
std::unique_ptr<DocumentReader> ReadSubtitles(TextInput& input, const SubtitleOptions& options);

}  // namespace heed::client
