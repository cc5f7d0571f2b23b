// SPDX-License-Identifier: Apache-2.0
#include "client/documents/translation_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace heed::client {
namespace {

constexpr absl::string_view kJournalMagic = "HeedJrn1";
constexpr uint32_t kMaxFieldBytes = uint32_t{1} << 30;
constexpr auto kSyncEvery = std::chrono::seconds(1);

// In the byte order of the machine: the file does not travel.
struct RecordHead {
  uint32_t key_bytes = 0;
  uint32_t text_bytes = 0;
  uint64_t key_hash = 0;
  uint64_t text_hash = 0;  // with the other fields as its seed
};

uint64_t TextHash(const RecordHead& head, absl::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(),
                              head.key_hash ^ (uint64_t{head.key_bytes} << 32 | head.text_bytes));
}

bool ReadAt(int descriptor, char* bytes, size_t size, int64_t place) {
  while (size > 0) {
    const ssize_t count = pread(descriptor, bytes, size, place);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes += count;
    place += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

bool WriteAt(int descriptor, absl::string_view bytes, int64_t place) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(descriptor, bytes.data(), bytes.size(), place);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    place += count;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

struct JournalRecord {
  std::string key;
  std::string text;
  int64_t end = 0;
};

// The record at `place`, if a whole one is there.
std::optional<JournalRecord> ReadRecord(int descriptor, int64_t place, int64_t file_bytes) {
  RecordHead head;
  if (!ReadAt(descriptor, reinterpret_cast<char*>(&head), sizeof(head), place)) return std::nullopt;
  const int64_t begin = place + static_cast<int64_t>(sizeof(head));
  if (head.key_bytes > kMaxFieldBytes || head.text_bytes > kMaxFieldBytes ||
      begin + int64_t{head.key_bytes} + int64_t{head.text_bytes} > file_bytes) {
    return std::nullopt;
  }
  JournalRecord record;
  record.key.resize(head.key_bytes);
  record.text.resize(head.text_bytes);
  if (!ReadAt(descriptor, record.key.data(), record.key.size(), begin) ||
      !ReadAt(descriptor, record.text.data(), record.text.size(), begin + int64_t{head.key_bytes})) {
    return std::nullopt;
  }
  if (XXH3_64bits(record.key.data(), record.key.size()) != head.key_hash ||
      TextHash(head, record.text) != head.text_hash) {
    return std::nullopt;
  }
  record.end = begin + int64_t{head.key_bytes} + int64_t{head.text_bytes};
  return record;
}

}  // namespace

absl::Status TranslationJournal::Error(absl::string_view what) const {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " '", path_, "'"));
}

absl::StatusOr<std::unique_ptr<TranslationJournal>> TranslationJournal::Open(const std::string& path, bool restart) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open '", path, "'"));
  std::unique_ptr<TranslationJournal> journal(new TranslationJournal(path, descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return absl::UnavailableError(absl::StrCat("'", path, "' is in use: another heed writes the same output"));
  }
  if (restart && ftruncate(descriptor, 0) != 0) return journal->Error("cannot write");
  HEED_RETURN_IF_ERROR(journal->Load());
  return journal;
}

TranslationJournal::~TranslationJournal() {
  if (count_ > 0) fdatasync(descriptor_);
  close(descriptor_);
}

absl::Status TranslationJournal::Load() {
  MutexLock lock(mutex_);
  const int64_t file_bytes = lseek(descriptor_, 0, SEEK_END);
  if (file_bytes < 0) return Error("cannot read");
  std::array<char, 8> magic = {};
  if (file_bytes >= static_cast<int64_t>(magic.size())) {
    if (!ReadAt(descriptor_, magic.data(), magic.size(), 0)) return Error("cannot read");
    if (absl::string_view(magic.data(), magic.size()) != kJournalMagic) {
      return absl::FailedPreconditionError(
          absl::StrCat("'", path_, "' is no journal of translations: delete it, or write to another file"));
    }
  } else if (!WriteAt(descriptor_, kJournalMagic, 0)) {
    return Error("cannot write");
  }
  end_ = static_cast<int64_t>(kJournalMagic.size());
  while (const auto record = ReadRecord(descriptor_, end_, file_bytes)) {
    records_[XXH3_64bits(record->key.data(), record->key.size())] = end_;
    ++count_;
    end_ = record->end;
  }
  return ftruncate(descriptor_, end_) == 0 ? absl::OkStatus() : Error("cannot write");
}

std::optional<std::string> TranslationJournal::Find(absl::string_view key) const {
  MutexLock lock(mutex_);
  const auto found = records_.find(XXH3_64bits(key.data(), key.size()));
  if (found == records_.end()) return std::nullopt;
  std::optional<JournalRecord> record = ReadRecord(descriptor_, found->second, end_);
  if (!record || record->key != key) return std::nullopt;
  return std::move(record->text);
}

absl::Status TranslationJournal::Add(absl::string_view key, absl::string_view translation) {
  if (key.size() > kMaxFieldBytes || translation.size() > kMaxFieldBytes) return absl::OkStatus();
  RecordHead head = {.key_bytes = static_cast<uint32_t>(key.size()),
                     .text_bytes = static_cast<uint32_t>(translation.size()),
                     .key_hash = XXH3_64bits(key.data(), key.size())};
  head.text_hash = TextHash(head, translation);
  const std::string bytes =
      absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&head), sizeof(head)), key, translation);
  MutexLock lock(mutex_);
  if (!WriteAt(descriptor_, bytes, end_)) return Error("cannot write");
  records_[head.key_hash] = end_;
  ++count_;
  end_ += static_cast<int64_t>(bytes.size());
  const auto now = std::chrono::steady_clock::now();
  if (now - synced_ > kSyncEvery) {
    fdatasync(descriptor_);
    synced_ = now;
  }
  return absl::OkStatus();
}

int64_t TranslationJournal::size() const {
  MutexLock lock(mutex_);
  return count_;
}

void TranslationJournal::Remove() { unlink(path_.c_str()); }

}  // namespace heed::client
