// SPDX-License-Identifier: Apache-2.0
#include "models/text/vocabulary_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace heed {
namespace {

absl::Status CheckSize(const std::string& name, int64_t tokens, int64_t size) {
  if (tokens == size) return absl::OkStatus();
  return InvalidArgument(name, ": has ", tokens, " tokens, but config.json's vocabulary has ", size);
}

}  // namespace

absl::StatusOr<VocabularyFile> VocabularyFile::Load(const std::string& path, int64_t size) {
  HEED_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::string_view bytes = file.bytes();
  if (const auto at = FirstInvalidUtf8(bytes)) return InvalidArgument(path, ": is not UTF-8 at byte ", *at);
  absl::ConsumeSuffix(&bytes, "\n");  // of the last line
  // Before any token is stored: a wrong file may have far more lines than tokens were asked for.
  HEED_RETURN_IF_ERROR(CheckSize(path, 1 + std::count(bytes.begin(), bytes.end(), '\n'), size));
  std::vector<std::string> tokens;
  tokens.reserve(static_cast<size_t>(size));
  for (absl::string_view line : absl::StrSplit(bytes, '\n')) tokens.emplace_back(absl::StripSuffix(line, "\r"));
  return Of(std::move(tokens), [&](absl::string_view token, int64_t first, int64_t second) {
    return InvalidArgument(path, ":", second + 1, ": ", Quoted(token), " is in line ", first + 1, " too");
  });
}

absl::StatusOr<VocabularyFile> VocabularyFile::OfPieces(const std::string& path, std::vector<std::string> pieces,
                                                        int64_t size) {
  HEED_RETURN_IF_ERROR(CheckSize(path, static_cast<int64_t>(pieces.size()), size));
  return Of(std::move(pieces), [&](absl::string_view piece, int64_t first, int64_t second) {
    return InvalidArgument(path, ": piece ", second, ", ", Quoted(piece), ", is piece ", first, " too");
  });
}

absl::StatusOr<VocabularyFile> VocabularyFile::Of(
    std::vector<std::string> tokens,
    absl::FunctionRef<absl::Status(absl::string_view token, int64_t first, int64_t second)> twice) {
  VocabularyFile vocabulary;
  vocabulary.tokens_ = std::move(tokens);
  for (size_t i = 0; i < vocabulary.tokens_.size(); ++i) {
    const std::string& token = vocabulary.tokens_[i];
    if (token.empty()) continue;
    const auto id = static_cast<int32_t>(i);
    const auto [known, is_new] = vocabulary.ids_.try_emplace(token, id);
    if (!is_new) return twice(token, known->second, id);
  }
  return vocabulary;
}

std::optional<int32_t> VocabularyFile::Find(absl::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace heed
