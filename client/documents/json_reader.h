// SPDX-License-Identifier: Apache-2.0
// JSON files of messages: i18next, ARB, Rails' and Vue's, whatever has texts as string values.
//
// The strings that are chosen are translated; keys, numbers, white space and every other byte stay, so this is a
// tokenizer of our own, which keeps bytes as no JSON library does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/documents/document.h"
#include "client/documents/text_input.h"

namespace heed::client {

// Names places in a document. A pattern is keys with "." between them: "*" stands for any one key or index, "**" for
// any number of them; a key is itself, with "*" within it for any characters, and "\." is a point of a key. A pattern
// without a point is about the last key at any depth: "title" is "**.title".
class PathPatterns {
 public:
  // Patterns with commas between them. INVALID_ARGUMENT quotes the pattern that is none.
  static absl::StatusOr<PathPatterns> Parse(absl::string_view text);
  bool empty() const { return patterns_.empty(); }
  bool Match(const std::vector<std::string>& path) const;

 private:
  std::vector<std::vector<std::string>> patterns_;
};

struct JsonOptions {
  PathPatterns keys;     // only values there; none: all
  PathPatterns skipped;  // not those there, nor below
};

// Never chosen: what has no letters, addresses ("https://..."), and what is below a key that begins with "@", as ARB's
// descriptions are. Reads value by value. Borrows the input.
std::unique_ptr<DocumentReader> ReadJson(TextInput& input, JsonOptions options);

}  // namespace heed::client
