// SPDX-License-Identifier: Apache-2.0
// Markdown: CommonMark with GitHub's tables, task lists, strikethrough and footnotes, and front matter.
//
// cmark-gfm finds the blocks and what is within them; the bytes are this reader's. What is written around words
// (emphasis, links, code) goes to the server as marks. Code, HTML blocks, addresses, definitions of links and front
// matter stay.
#pragma once

#include <memory>

#include "client/documents/document.h"
#include "client/documents/text_input.h"

namespace heed::client {

struct MarkdownOptions {
  bool front_matter = false;  // translate the values of title, description, summary and subtitle there
};

// Reads the document as a whole. Borrows the input. A paragraph of several lines is wrapped again as wide as it was.
std::unique_ptr<DocumentReader> ReadMarkdown(TextInput& input, const MarkdownOptions& options);

}  // namespace heed::client
