// SPDX-License-Identifier: Apache-2.0
#include "files/zip_entries.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/excerpt.h"

namespace heed {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr size_t kLocalHeaderBytes = 30, kCentralHeaderBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr size_t kMaxCommentBytes = 65535;
constexpr uint16_t kZip64Field = 1;
constexpr uint16_t kEncrypted = 1;

// Of `bytes` at `offset`, which the caller knows to be within them.
template <typename T>
T At(absl::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename... What>
absl::Status Damaged(const What&... what) {
  return absl::InvalidArgumentError(absl::StrCat(what...));
}

// Where the record that ends the file begins; npos: there is none.
size_t FindEnd(absl::string_view file) {
  if (file.size() < kEndBytes) return file.npos;
  const size_t lowest = file.size() - std::min(file.size(), kEndBytes + kMaxCommentBytes);
  for (size_t at = file.size() - kEndBytes + 1; at-- > lowest;) {
    if (At<uint32_t>(file, at) != kEnd) continue;
    if (at + kEndBytes + At<uint16_t>(file, at + 20) == file.size()) return at;
  }
  return file.npos;
}

// Replaces what stands as all ones by the zip64 field of `extra`, in the order of the format. False: it is too short.
bool ReadZip64(absl::string_view extra, uint64_t& size, uint64_t& stored, uint64_t& header) {
  while (extra.size() >= 4) {
    const uint16_t id = At<uint16_t>(extra, 0), length = At<uint16_t>(extra, 2);
    if (length > extra.size() - 4) return false;
    if (id == kZip64Field) {
      absl::string_view field = extra.substr(4, length);
      for (uint64_t* value : {&size, &stored, &header}) {
        if (*value != 0xFFFFFFFF) continue;
        if (field.size() < 8) return false;
        *value = At<uint64_t>(field, 0);
        field.remove_prefix(8);
      }
      return true;
    }
    extra.remove_prefix(4 + length);
  }
  return size != 0xFFFFFFFF && stored != 0xFFFFFFFF && header != 0xFFFFFFFF;
}

}  // namespace

absl::StatusOr<ZipEntries> ZipEntries::Read(absl::string_view file) {
  const size_t end = FindEnd(file);
  if (end == file.npos) return Damaged("has no end of a zip file: truncated, or not a zip file");
  uint64_t count = At<uint16_t>(file, end + 10);
  uint64_t bytes = At<uint32_t>(file, end + 12);
  uint64_t begin = At<uint32_t>(file, end + 16);
  uint64_t limit = end;  // where the central directory ends at the latest
  if (end >= kLocatorBytes && At<uint32_t>(file, end - kLocatorBytes) == kEnd64Locator) {
    const uint64_t end64 = At<uint64_t>(file, end - kLocatorBytes + 8);
    if (end64 > end - kLocatorBytes || end - kLocatorBytes - end64 < kEnd64Bytes ||
        At<uint32_t>(file, end64) != kEnd64) {
      return Damaged("its zip64 end is given at byte ", end64, ", but is not there");
    }
    count = At<uint64_t>(file, end64 + 32);
    bytes = At<uint64_t>(file, end64 + 40);
    begin = At<uint64_t>(file, end64 + 48);
    limit = end64;
  }
  if (begin > limit || bytes > limit - begin || count > bytes / kCentralHeaderBytes) {
    return Damaged("its directory of ", count, " entries is given as ", bytes, " bytes at byte ", begin,
                   ", which do not fit the file's ", file.size());
  }
  ZipEntries zip;
  zip.file_ = file;
  absl::string_view directory = file.substr(begin, bytes);
  for (uint64_t i = 0; i < count; ++i) {
    if (directory.size() < kCentralHeaderBytes || At<uint32_t>(directory, 0) != kCentralHeader) {
      return Damaged("entry ", i, " of ", count, " in its directory is damaged");
    }
    const size_t name_bytes = At<uint16_t>(directory, 28), extra_bytes = At<uint16_t>(directory, 30);
    const size_t all = kCentralHeaderBytes + name_bytes + extra_bytes + At<uint16_t>(directory, 32);
    if (all > directory.size()) return Damaged("entry ", i, " of ", count, " in its directory is truncated");
    const absl::string_view name = directory.substr(kCentralHeaderBytes, name_bytes);
    Entry entry;
    entry.flags = At<uint16_t>(directory, 8);
    entry.method = At<uint16_t>(directory, 10);
    entry.size = At<uint32_t>(directory, 20);
    entry.header = At<uint32_t>(directory, 42);
    uint64_t unpacked = At<uint32_t>(directory, 24);
    if (!ReadZip64(directory.substr(kCentralHeaderBytes + name_bytes, extra_bytes), unpacked, entry.size,
                   entry.header)) {
      return Damaged("entry '", Escaped(name), "': its zip64 field is damaged");
    }
    if (entry.header > begin || begin - entry.header < kLocalHeaderBytes) {
      return Damaged("entry '", Escaped(name), "' is given at byte ", entry.header, ", beyond the entries");
    }
    if (!zip.entries_.emplace(name, entry).second) return Damaged("entry '", Escaped(name), "' is there twice");
    directory.remove_prefix(all);
  }
  return zip;
}

absl::StatusOr<absl::string_view> ZipEntries::Find(absl::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return Damaged("entry '", Escaped(name), "' is missing");
  const Entry& entry = found->second;
  if ((entry.flags & kEncrypted) != 0) return Damaged("entry '", Escaped(name), "' is encrypted");
  if (entry.method != 0) {
    return Damaged("entry '", Escaped(name), "' is compressed (method ", entry.method,
                   "), but PyTorch stores entries as they are; save the file again");
  }
  const absl::string_view rest = file_.substr(entry.header);  // Read has seen that a header fits
  const size_t name_bytes = At<uint16_t>(rest, 26), extra_bytes = At<uint16_t>(rest, 28);
  const size_t before = kLocalHeaderBytes + name_bytes + extra_bytes;
  if (At<uint32_t>(rest, 0) != kLocalHeader || before > rest.size() ||
      rest.substr(kLocalHeaderBytes, name_bytes) != name) {
    return Damaged("entry '", Escaped(name), "' is not where the directory says, at byte ", entry.header);
  }
  if (entry.size > rest.size() - before) {
    return Damaged("entry '", Escaped(name), "' has ", entry.size, " bytes, but the file ends ", rest.size() - before,
                   " after its begin");
  }
  return rest.substr(before, entry.size);
}

}  // namespace heed
