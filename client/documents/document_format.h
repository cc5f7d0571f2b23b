// SPDX-License-Identifier: Apache-2.0
// The formats of documents.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/documents/document.h"
#include "client/documents/json_reader.h"
#include "client/documents/markdown_reader.h"
#include "client/documents/po_reader.h"
#include "client/documents/subtitle_reader.h"
#include "client/documents/text_input.h"

namespace heed::client {

// "lines" is none of a document: each line is a text.
enum class DocumentFormat { kLines, kSrt, kVtt, kHtml, kXml, kMarkdown, kPo, kJson };

// "lines", "srt", ... in the order of the enumeration.
const std::vector<std::string>& DocumentFormatNames();
// A name of the list above.
DocumentFormat DocumentFormatOf(absl::string_view name);
// What the end of a file's name says: "news.en.srt" is SubRip. kLines if it says nothing else.
DocumentFormat FormatOfFile(absl::string_view path);

struct DocumentOptions {
  SubtitleOptions subtitles;  // but for `vtt`
  MarkdownOptions markdown;
  PoOptions po;
  JsonOptions json;
};

// `format` is not kLines. Borrows the input.
std::unique_ptr<DocumentReader> ReadDocument(DocumentFormat format, TextInput& input, const DocumentOptions& options);

}  // namespace heed::client
