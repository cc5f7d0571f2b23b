// SPDX-License-Identifier: Apache-2.0
// How documents are read and written, as flags.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/flags/flag_table.h"
#include "client/documents/document_format.h"

namespace heed::client {

struct DocumentFlags {
  std::string format;  // empty: what the file's name says
  std::string output;
  bool restart = false;
  int line_columns = SubtitleOptions().line_columns;
  bool keep_line_breaks = false;
  bool front_matter = false;
  bool no_fuzzy = false;
  bool retranslate = false;
  std::string json_keys;
  std::string skip_keys;

  void AddTo(FlagTable& flags);
  DocumentFormat Format(const std::string& file) const;
  // INVALID_ARGUMENT names the flag: it is of no use with this format, or has a wrong pattern. Not filled: the target
  // language.
  absl::Status Fill(DocumentFormat of, DocumentOptions& options) const;
};

}  // namespace heed::client
