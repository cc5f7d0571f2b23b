// SPDX-License-Identifier: Apache-2.0
// HTML and XML. The server finds the texts in them and keeps the tags; this cuts a document into parts that one message
// carries, where no sentence is cut and each part is markup of its own.
#pragma once

#include <cstddef>
#include <memory>

#include "client/documents/document.h"
#include "client/documents/text_input.h"

namespace heed::client {

struct MarkupOptions {
  bool xml = false;
  // A part is about so long. An element that is longer is entered. What has no good place to be cut is longer.
  size_t part_bytes = 8192;
};

// Reads the document as a whole. Borrows the input. XML has to be well-formed. What is before its root, scripts and
// styles are not sent.
std::unique_ptr<DocumentReader> ReadMarkup(TextInput& input, const MarkupOptions& options);

}  // namespace heed::client
