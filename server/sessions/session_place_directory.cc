// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_place_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "server/platform/locked_directory.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr char kExtension[] = ".session";
constexpr char kPartialExtension[] = ".session.partial";  // what a writer leaves that was killed
constexpr char kDamagedExtension[] = ".session.damaged";
// Of every file: one revision replaces another, and nobody else makes any.
constexpr char kRevision[] = "file";

bool WriteAll(int file, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(file, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionPlace>> SessionDirectory::Open(const std::string& path) {
  // Whoever reads a session's name may use it.
  HEED_ASSIGN_OR_RETURN(const int directory, OpenLockedDirectory("--sessions", path, 0700));
  struct stat status = {};
  if (fstat(directory, &status) == 0 && (status.st_mode & 0077) != 0) {
    LogWarn("sessions", {{"directory", path},
                         {"mode", absl::StrFormat("%04o", status.st_mode & 07777)},
                         {"reason", "others may read the sessions' names, which are enough to use them"}});
  }
  return std::unique_ptr<SessionPlace>(new SessionDirectory(path, directory));
}

SessionDirectory::~SessionDirectory() { close(directory_); }

absl::StatusOr<std::vector<RestingSession>> SessionDirectory::List() {
  std::vector<RestingSession> resting;
  std::error_code error;
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::directory_iterator files(path_, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::string file = files->path().filename().string();
    if (absl::EndsWith(file, kPartialExtension)) {
      unlinkat(directory_, file.c_str(), 0);
      continue;
    }
    absl::string_view id = file;
    if (!absl::ConsumeSuffix(&id, kExtension) || !IsSessionId(id)) continue;
    std::error_code gone;
    const auto used = files->last_write_time(gone);
    if (gone) continue;
    const auto idle = std::chrono::duration_cast<Clock::duration>(now - used);
    resting.push_back({std::string(id), std::max(idle, Clock::duration::zero())});
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat("--sessions=", path_, ": ", error.message()));
  return resting;
}

absl::StatusOr<PlacedSession> SessionDirectory::Read(const std::string& id, const std::string&) {
  const int file = openat(directory_, absl::StrCat(id, kExtension).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return absl::NotFoundError("session: its file is gone");
  if (file < 0) return Failed("read");
  const auto closed = absl::MakeCleanup([file] { close(file); });
  std::string data;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = read(file, buffer, sizeof(buffer));
    if (n == 0) return PlacedSession{kRevision, std::move(data)};
    if (n > 0) data.append(buffer, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) return Failed("read");
  }
}

absl::StatusOr<std::string> SessionDirectory::Write(const std::string& id, const std::string&, absl::string_view data) {
  const std::string partial = absl::StrCat(id, kPartialExtension);
  const int file = openat(directory_, partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return Failed("written");
  bool written = WriteAll(file, data) && fsync(file) == 0;
  int error = errno;
  close(file);
  if (written && renameat(directory_, partial.c_str(), directory_, absl::StrCat(id, kExtension).c_str()) != 0) {
    written = false;
    error = errno;
  }
  if (!written) {
    unlinkat(directory_, partial.c_str(), 0);
    errno = error;
    return Failed("written");
  }
  Flush();
  return kRevision;
}

absl::Status SessionDirectory::Remove(const std::string& id) {
  if (unlinkat(directory_, absl::StrCat(id, kExtension).c_str(), 0) != 0) {
    return errno == ENOENT ? absl::NotFoundError("session: its file is gone") : Failed("removed");
  }
  Flush();
  return absl::OkStatus();
}

void SessionDirectory::NoteUse(const std::string& id, Clock::duration idle) {
  const auto used = std::chrono::system_clock::now().time_since_epoch() - idle;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(used);
  timespec times[2];
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = seconds.count();
  times[1].tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(used - seconds).count();
  utimensat(directory_, absl::StrCat(id, kExtension).c_str(), times, AT_SYMLINK_NOFOLLOW);
}

std::string SessionDirectory::SetAside(const std::string& id) {
  const std::string file = absl::StrCat(id, kExtension), aside = absl::StrCat(id, kDamagedExtension);
  if (renameat(directory_, file.c_str(), directory_, aside.c_str()) != 0) return "";
  Flush();
  return absl::StrCat("; its file is kept beside the others, as *", kDamagedExtension);
}

absl::Status SessionDirectory::Failed(absl::string_view what) {
  const std::string reason = absl::StrCat("session: its file could not be ", what, ": ", std::strerror(errno));
  if (const auto left_out = failures_.Take(Clock::now())) {
    std::vector<LogField> fields = {{"state", "failed"}, {"reason", reason}};
    if (*left_out > 0) fields.emplace_back("left_out", *left_out);
    LogError("sessions", fields);
  }
  return absl::UnavailableError(reason);
}

void SessionDirectory::Flush() {
  // Everybody sees the change already, and it outlives this process: an error takes nothing back.
  if (fsync(directory_) == 0) return;
  LogError("sessions", {{"directory", path_}, {"operation", "flush"}, {"reason", std::strerror(errno)}});
}

}  // namespace heed
