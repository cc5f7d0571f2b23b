// SPDX-License-Identifier: Apache-2.0
#include "models/text/vocabulary_file.h"

#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace heed {

absl::StatusOr<VocabularyFile> VocabularyFile::Load(const std::string& path, int64_t size) {
  HEED_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::string_view bytes = file.bytes();
  if (const auto at = FirstInvalidUtf8(bytes)) return InvalidArgument(path, ": is not UTF-8 at byte ", *at);
  absl::ConsumeSuffix(&bytes, "\n");  // of the last line
  std::vector<std::string> tokens;
  for (absl::string_view line : absl::StrSplit(bytes, '\n')) tokens.emplace_back(absl::StripSuffix(line, "\r"));
  return Of(path, std::move(tokens), size);
}

absl::StatusOr<VocabularyFile> VocabularyFile::Of(const std::string& name, std::vector<std::string> tokens,
                                                  int64_t size) {
  const auto lines = static_cast<int64_t>(tokens.size());
  if (lines != size) return InvalidArgument(name, ": has ", lines, " tokens, but config.json's vocabulary has ", size);
  VocabularyFile vocabulary;
  vocabulary.tokens_ = std::move(tokens);
  for (size_t i = 0; i < vocabulary.tokens_.size(); ++i) {
    const std::string& token = vocabulary.tokens_[i];
    if (token.empty()) continue;
    const auto [known, is_new] = vocabulary.ids_.try_emplace(token, static_cast<int32_t>(i));
    if (!is_new)
      return InvalidArgument(name, ":", i + 1, ": ", Quoted(token), " is in line ", known->second + 1, " too");
  }
  return vocabulary;
}

std::optional<int32_t> VocabularyFile::Find(absl::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace heed
