// SPDX-License-Identifier: Apache-2.0
// A vocabulary file: one token a line, whose number from 0 is the token's id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// Immutable, thread-safe.
class VocabularyFile {
 public:
  // Reads the file, which is UTF-8 and has `size` lines. An empty line is an id without a token. INVALID_ARGUMENT names
  // the line and what is wrong: another number of lines, a token that is there twice, bytes that are not UTF-8.
  static absl::StatusOr<VocabularyFile> Load(const std::string& path, int64_t size);
  // The same of the pieces that the file `path` holds in another form: a piece's index is its id.
  static absl::StatusOr<VocabularyFile> OfPieces(const std::string& path, std::vector<std::string> pieces,
                                                 int64_t size);

  std::optional<int32_t> Find(absl::string_view token) const;
  // The token of an id; empty if it has none.
  const std::string& token(int32_t id) const { return tokens_[static_cast<size_t>(id)]; }
  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  // `twice` makes the error of a token that is there at two indices.
  static absl::StatusOr<VocabularyFile> Of(
      std::vector<std::string> tokens,
      absl::FunctionRef<absl::Status(absl::string_view token, int64_t first, int64_t second)> twice);

  std::vector<std::string> tokens_;
  absl::flat_hash_map<std::string, int32_t> ids_;
};

}  // namespace heed
