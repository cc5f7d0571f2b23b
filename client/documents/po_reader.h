// SPDX-License-Identifier: Apache-2.0
// gettext's message files (.po, .pot).
//
// Entries without a translation get one; every other byte stays: comments, contexts, flags, obsolete entries. The
// header names the target language and its plural forms. A reader of our own: gettext's library is under the GPL, and
// writes a file in its own form.
#pragma once

#include <memory>
#include <string>

#include "client/documents/document.h"
#include "client/documents/text_input.h"

namespace heed::client {

struct PoOptions {
  std::string target_language;  // empty: the header's stays
  bool mark_fuzzy = true;       // flag what is translated, so that a person looks at it
  bool retranslate = false;     // also the entries that have a translation
};

// Reads entry by entry. Borrows the input. A translation has to have the source's format directives, where a flag says
// that the entry is a format string. An entry one of whose texts failed stays as it is.
std::unique_ptr<DocumentReader> ReadPo(TextInput& input, PoOptions options);

}  // namespace heed::client
