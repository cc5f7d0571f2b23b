// SPDX-License-Identifier: Apache-2.0
// The entries of a zip file by name, for readers of files that are zip files of stored (not compressed) entries.
//
// Format: PKWARE's APPNOTE.TXT 6.3.9, with the zip64 extension (4.3.14 to 4.3.16, 4.5.3).
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

class ZipEntries {
 public:
  // Reads the central directory of `file`, which must outlive this object. INVALID_ARGUMENT: it is not a zip file, is
  // truncated, lies about its own layout or has an entry twice; says where, not which file.
  static absl::StatusOr<ZipEntries> Read(absl::string_view file);

  bool Has(absl::string_view name) const { return entries_.find(name) != entries_.end(); }
  // The bytes of an entry. INVALID_ARGUMENT names it: it is not there, compressed, encrypted or damaged. Checksums are
  // not looked at: PyTorch can write files without true ones.
  absl::StatusOr<absl::string_view> Find(absl::string_view name) const;

  struct Entry {
    uint64_t header = 0;  // where its local header begins
    uint64_t size = 0;    // as stored
    uint16_t method = 0;
    uint16_t flags = 0;
  };
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

 private:
  absl::string_view file_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace heed
