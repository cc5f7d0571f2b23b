// SPDX-License-Identifier: Apache-2.0
#include "client/documents/document_format.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "client/documents/markup_reader.h"

namespace heed::client {

const std::vector<std::string>& DocumentFormatNames() {
  static const std::vector<std::string> kNames = {"lines", "srt", "vtt", "html", "xml", "markdown", "po", "json"};
  return kNames;
}

DocumentFormat DocumentFormatOf(absl::string_view name) {
  const std::vector<std::string>& names = DocumentFormatNames();
  return static_cast<DocumentFormat>(std::find(names.begin(), names.end(), name) - names.begin());
}

DocumentFormat FormatOfFile(absl::string_view path) {
  static constexpr std::pair<absl::string_view, DocumentFormat> kEndings[] = {
      {"srt", DocumentFormat::kSrt},     {"vtt", DocumentFormat::kVtt},           {"html", DocumentFormat::kHtml},
      {"htm", DocumentFormat::kHtml},    {"xhtml", DocumentFormat::kXml},         {"xml", DocumentFormat::kXml},
      {"md", DocumentFormat::kMarkdown}, {"markdown", DocumentFormat::kMarkdown}, {"po", DocumentFormat::kPo},
      {"pot", DocumentFormat::kPo},      {"json", DocumentFormat::kJson},         {"arb", DocumentFormat::kJson}};
  const size_t point = path.rfind('.');
  const std::string ending = point == absl::string_view::npos ? "" : absl::AsciiStrToLower(path.substr(point + 1));
  for (const auto& [name, format] : kEndings) {
    if (name == ending) return format;
  }
  return DocumentFormat::kLines;
}

std::unique_ptr<DocumentReader> ReadDocument(DocumentFormat format, TextInput& input, const DocumentOptions& options) {
  switch (format) {
    case DocumentFormat::kLines:
      break;
    case DocumentFormat::kSrt:
    case DocumentFormat::kVtt: {
      SubtitleOptions subtitles = options.subtitles;
      subtitles.vtt = format == DocumentFormat::kVtt;
      return ReadSubtitles(input, subtitles);
    }
    case DocumentFormat::kHtml:
    case DocumentFormat::kXml:
      return ReadMarkup(input, {.xml = format == DocumentFormat::kXml});
    case DocumentFormat::kMarkdown:
      return ReadMarkdown(input, options.markdown);
    case DocumentFormat::kPo:
      return ReadPo(input, options.po);
    case DocumentFormat::kJson:
      return ReadJson(input, options.json);
  }
  return nullptr;
}

}  // namespace heed::client
