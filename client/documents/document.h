// SPDX-License-Identifier: Apache-2.0
// A document as its translation sees it: parts in order, each with the texts to translate in it.
//
// A reader (one class for each format) takes a document apart. Its parts, written in order with the texts as they were,
// are the document to the byte; with translations, nothing but these texts differs. A reader holds one part at a time
// where the format allows, so that documents of any length go through.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "heed/v1/translation.pb.h"

namespace heed::client {

// One text for the server.
struct Segment {
  std::string text;
  v1::TextFormat format = v1::TEXT_FORMAT_PLAIN;
  bool own_marks = false;     // XML of <g>, <x> and <k>, see marked_text.h: parts of a sentence; what is in <k> stays
  bool placeholders = false;  // placeholders of programs stay: DoNotTranslate.placeholders
  int64_t line = 1;           // of the document, from 1, where the text begins
};

// For each segment of a part its translation; without one the source stays.
using Translations = absl::Span<const std::optional<std::string>>;

struct DocumentPart {
  std::vector<Segment> segments;  // may be none
  // Whether a translation can take the place of segment `index`. Otherwise the status says why not: "it lost %s".
  // Empty: every translation can.
  std::function<absl::Status(size_t index, const std::string& translation)> check;
  // The part's bytes. Every translation has passed `check`.
  std::function<std::string(Translations)> render;
};

// Bytes that stay.
DocumentPart KeptPart(std::string bytes);

// Not thread-safe; parts outlive it, and may be rendered on another thread.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  // The next part, none at the end. INVALID_ARGUMENT: the document is broken; names its file and the line. After an
  // error, no further call.
  virtual absl::StatusOr<std::optional<DocumentPart>> Next() = 0;
};

}  // namespace heed::client
