// SPDX-License-Identifier: Apache-2.0
// A document through its reader and back, for the fuzz targets of the formats.
#pragma once

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "client/documents/document_format.h"
#include "client/documents/text_input.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {

// Without translations the document comes back to the byte, and with the texts as they were, too, unless a text that
// stays is a translation of its own (po). Translations of other words are taken where the reader's check lets them.
inline void RunDocument(client::DocumentFormat format, const client::DocumentOptions& options, absl::string_view input,
                        bool same_text_is_source) {
  std::istringstream in{std::string(input)};
  client::TextInput text(in, "file");
  const auto reader = client::ReadDocument(format, text, options);
  std::string untranslated, same;
  while (true) {
    absl::StatusOr<std::optional<client::DocumentPart>> part = reader->Next();
    if (!part.ok()) return;
    if (!*part) break;
    const size_t count = (*part)->segments.size();
    std::vector<std::optional<std::string>> none(count), texts(count), other(count);
    for (size_t i = 0; i < count; ++i) {
      const client::Segment& segment = (*part)->segments[i];
      HEED_FUZZ_EXPECT(segment.line >= 1 && !segment.text.empty(), "a segment");
      texts[i] = segment.text;
      const auto check = [&](const std::string& translation) {
        return !(*part)->check || (*part)->check(i, translation).ok();
      };
      HEED_FUZZ_EXPECT(check(segment.text), "its own text is no translation");
      std::string reversed(segment.text.rbegin(), segment.text.rend());
      for (const std::string& translation :
           {segment.text + " - # [x](y) *z* & < > \" \\ \n --> {", absl::AsciiStrToUpper(segment.text), reversed}) {
        if (check(translation)) other[i] = translation;
      }
    }
    untranslated += (*part)->render(none);
    same += (*part)->render(texts);
    (*part)->render(other);
  }
  HEED_FUZZ_EXPECT(untranslated == input, "bytes without translations");
  if (same_text_is_source) HEED_FUZZ_EXPECT(same == input, "bytes with the same texts");
}

}  // namespace heed
