// SPDX-License-Identifier: Apache-2.0
// Bearer tokens: who holds one and what that lets them do, from a file that may change while the server runs.
//
// A line of the file is `NAME TOKEN RIGHTS LIMITS`, with RIGHTS `infer`, `manage` or `infer,manage`, and LIMITS none or
// some of those of server/security/token_limits.h; `#` begins a comment. A name may stand in several lines, so that its
// token can be replaced without a moment in which none is right: these lines have the same limits, and share them. Of a
// token nothing but its SHA-256 is kept, and no message repeats any of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/security/token_limits.h"

namespace heed {

struct TokenHolder {
  std::string name;
  bool infer = false;
  bool manage = false;
  TokenLimits limits;
};

using Sha256 = std::array<uint8_t, 32>;

// The tokens of one version of the file. Immutable.
class Tokens {
 public:
  static constexpr size_t kShortest = 16;  // characters of a token

  // INVALID_ARGUMENT names the first line that is wrong: too few words, a token that is short, stands twice or is
  // not visible ASCII, a right or a limit that does not exist, limits that another line of the same name does not have.
  // No line at all is wrong, too: it would lock everybody out.
  static absl::StatusOr<Tokens> Parse(absl::string_view text);

  // Who holds `token`; null: nobody. Takes the same time wherever it stands and however much of it is right.
  const TokenHolder* Find(absl::string_view token) const;
  bool HasHolder(absl::string_view name) const { return lines_.contains(name); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Sha256 hash;
    TokenHolder holder;
  };
  std::vector<Entry> entries_;
  absl::flat_hash_map<std::string, int> lines_;  // of each holder, the first
};

// The tokens of a file, read again when it has changed. Thread-safe.
class TokenFile {
 public:
  // NOT_FOUND, INVALID_ARGUMENT: it cannot be read, or a line is wrong; the message names the file. Warns if other
  // users of the machine can read it.
  static absl::StatusOr<std::unique_ptr<TokenFile>> Open(std::string path, TimePoint now);

  // The present tokens. Looks at the file at most once a second. A file that is gone or wrong changes nothing and is
  // logged once.
  std::shared_ptr<const Tokens> Get(TimePoint now) EXCLUDES(mutex_);

 private:
  explicit TokenFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;

  Mutex mutex_;
  std::shared_ptr<const Tokens> tokens_ GUARDED_BY(mutex_);
  TimePoint next_look_ GUARDED_BY(mutex_);
  bool looking_ GUARDED_BY(mutex_) = false;  // a thread reads the file, without the lock
  // What was seen last: the hash of the file's text, or why it could not be read. Of the thread that looks.
  std::string seen_;
};

}  // namespace heed
