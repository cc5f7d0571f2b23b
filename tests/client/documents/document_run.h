// SPDX-License-Identifier: Apache-2.0
// Documents through a translator of our own, for tests.
#pragma once

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "client/documents/document_format.h"
#include "client/documents/text_input.h"

namespace heed::client {

// None: the segment failed.
using TranslateSegment = std::function<std::optional<std::string>(const Segment&)>;

// "Hello <g id="1">you</g>, %s" is "HELLO <g id="1">YOU</g>, %s": ASCII letters outside of tags, code and what stays.
inline std::optional<std::string> Shout(const Segment& segment) {
  const absl::string_view text = segment.text;
  std::string loud;
  for (size_t i = 0; i < text.size();) {
    size_t stays = 0;
    const absl::string_view rest = text.substr(i);
    const auto until = [&](absl::string_view end) {
      const size_t at = rest.find(end);
      return at == absl::string_view::npos ? rest.size() : at + end.size();
    };
    if (segment.format != v1::TEXT_FORMAT_PLAIN) {
      if (absl::StartsWith(rest, "<k"))
        stays = until("</k>");
      else if (absl::StartsWith(rest, "<"))
        stays = until(">");
      else if (absl::StartsWith(rest, "&"))
        stays = until(";");
    }
    if (segment.placeholders && stays == 0) {
      if (absl::StartsWith(rest, "%("))
        stays = until(")") + 1;
      else if (absl::StartsWith(rest, "%") && rest.size() > 1)
        stays = rest.find_first_of("sdifxu") + 1;
      else if (absl::StartsWith(rest, "{"))
        stays = until("}");
    }
    if (stays > 0) {
      loud.append(rest.data(), stays);
      i += stays;
    } else {
      loud += absl::ascii_toupper(static_cast<unsigned char>(text[i++]));
    }
  }
  return loud;
}

inline std::optional<std::string> Same(const Segment& segment) { return segment.text; }
inline std::optional<std::string> Fails(const Segment&) { return std::nullopt; }

struct DocumentResult {
  absl::Status status;
  std::string text;
  std::vector<Segment> segments;
  std::vector<std::string> refused;  // what `check` said
};

inline DocumentResult TranslateText(DocumentFormat format, const std::string& source,
                                    const TranslateSegment& translate = Shout, const DocumentOptions& options = {}) {
  DocumentResult result;
  std::istringstream in(source);
  TextInput input(in, "file");
  const auto reader = ReadDocument(format, input, options);
  while (true) {
    absl::StatusOr<std::optional<DocumentPart>> part = reader->Next();
    result.status = part.status();
    if (!part.ok() || !*part) return result;
    std::vector<std::optional<std::string>> translations;
    for (size_t i = 0; i < (*part)->segments.size(); ++i) {
      const Segment& segment = (*part)->segments[i];
      result.segments.push_back(segment);
      std::optional<std::string> translation = translate(segment);
      if (translation && (*part)->check) {
        if (const absl::Status checked = (*part)->check(i, *translation); !checked.ok()) {
          result.refused.emplace_back(checked.message());
          translation.reset();
        }
      }
      translations.push_back(std::move(translation));
    }
    result.text += (*part)->render(translations);
  }
}

inline std::vector<std::string> TextsOf(const DocumentResult& result) {
  std::vector<std::string> texts;
  for (const Segment& segment : result.segments) texts.push_back(segment.text);
  return texts;
}

}  // namespace heed::client
