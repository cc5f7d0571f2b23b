// SPDX-License-Identifier: Apache-2.0
// Glossaries that callers left here, in memory until the server stops.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace heed {

// What a glossary holds. Immutable once stored.
struct Glossary {
  std::string id;
  std::string name;
  std::string owner;            // the holder of the token that stored it; empty: the server has no tokens
  std::string source_language;  // as its maker wrote them, in lower case
  std::string target_language;
  absl::Time created;
  std::vector<std::pair<std::string, std::string>> entries;  // in their order; each source once
};

// The entries of a glossary as text. "tsv": a line is SOURCE, a tab, TARGET. "csv": RFC 4180, of which the first two
// columns count. White space around phrases does not count, nor do empty lines. INVALID_ARGUMENT names the line:
// without a target, an empty phrase, a source that is there twice, a control character. Linear time.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseGlossary(absl::string_view format,
                                                                               absl::string_view text);
std::string GlossaryAsTsv(const Glossary& glossary);

// A caller sees its own glossaries only. Thread-safe.
class GlossaryStore {
 public:
  static constexpr size_t kMaxGlossaries = 1'000;
  static constexpr size_t kMaxBytes = size_t{64} << 20;  // of all phrases
  static constexpr size_t kMaxEntries = 10'000;          // of one glossary; as many as a request takes

  // Gives it an id that nobody can guess. INVALID_ARGUMENT: it has no name, no entries or too many.
  // RESOURCE_EXHAUSTED, which names the limit: there is no room until another glossary is deleted.
  absl::StatusOr<std::shared_ptr<const Glossary>> Add(Glossary glossary) EXCLUDES(mutex_);
  // NOT_FOUND.
  absl::StatusOr<std::shared_ptr<const Glossary>> Find(absl::string_view owner, absl::string_view id) const
      EXCLUDES(mutex_);
  absl::Status Delete(absl::string_view owner, absl::string_view id) EXCLUDES(mutex_);
  // The oldest first.
  std::vector<std::shared_ptr<const Glossary>> List(absl::string_view owner) const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const Glossary>, std::less<>> glossaries_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace heed
