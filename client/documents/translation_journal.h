// SPDX-License-Identifier: Apache-2.0
// Translations that a run has so far, in a file, so that the next run goes on where this one stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace heed::client {

// The file grows by a record for each translation, which has a checksum: a record that was cut off, and what is behind
// it, does not count, and is overwritten. It survives the end of the process at any moment; after a power failure at
// most the last second is missing. One process at a time. Memory: some 16 bytes for each record. Thread-safe.
class TranslationJournal {
 public:
  // Makes the file if it is not there, readable for its owner only. `restart`: what is in it does not count. Errors
  // name the file: UNAVAILABLE another process has it; FAILED_PRECONDITION it is no such file; else the system's
  // reason.
  static absl::StatusOr<std::unique_ptr<TranslationJournal>> Open(const std::string& path, bool restart);
  ~TranslationJournal();
  TranslationJournal(const TranslationJournal&) = delete;
  TranslationJournal& operator=(const TranslationJournal&) = delete;

  // The translation that was added last under exactly this key.
  std::optional<std::string> Find(absl::string_view key) const EXCLUDES(mutex_);
  absl::Status Add(absl::string_view key, absl::string_view translation) EXCLUDES(mutex_);
  // Records that are in the file.
  int64_t size() const EXCLUDES(mutex_);
  // Deletes the file. No further call.
  void Remove();

 private:
  TranslationJournal(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  absl::Status Load() EXCLUDES(mutex_);
  absl::Status Error(absl::string_view what) const;

  const std::string path_;
  const int descriptor_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uint64_t, int64_t> records_ GUARDED_BY(mutex_);  // hash of the key, place of the last record
  int64_t count_ GUARDED_BY(mutex_) = 0;
  int64_t end_ GUARDED_BY(mutex_) = 0;
  std::chrono::steady_clock::time_point synced_ GUARDED_BY(mutex_) = {};
};

}  // namespace heed::client
