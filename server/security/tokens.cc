// SPDX-License-Identifier: Apache-2.0
#include "server/security/tokens.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "openssl/crypto.h"
#include "openssl/sha.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr std::chrono::seconds kBetweenLooks(1);
constexpr std::streamsize kMaxBytes = 1 << 20;

Sha256 HashOf(absl::string_view text) {
  Sha256 hash;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), hash.data());
  return hash;
}

absl::Status SetRights(absl::string_view rights, TokenHolder& holder) {
  for (const absl::string_view right : absl::StrSplit(rights, ',')) {
    if (right == "infer") {
      holder.infer = true;
    } else if (right == "manage") {
      holder.manage = true;
    } else {
      // Not repeated: words in the wrong order put the token here.
      return absl::InvalidArgumentError("the rights are not infer, manage or infer,manage");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), kMaxBytes + 1);
  if (!file.is_open() || file.bad()) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  if (file.gcount() > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has more than ", kMaxBytes, " bytes"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

absl::StatusOr<Tokens> ParseOf(const std::string& path, const std::string& text) {
  absl::StatusOr<Tokens> tokens = Tokens::Parse(text);
  if (!tokens.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", tokens.status().message()));
  return tokens;
}

void WarnIfOthersCanRead(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    LogWarn("tokens", {{"file", path}, {"problem", "other users of this machine can read or write it"}});
  }
}

std::string SeenText(const std::string& text) {
  const Sha256 hash = HashOf(text);
  return {hash.begin(), hash.end()};
}

}  // namespace

absl::StatusOr<Tokens> Tokens::Parse(absl::string_view text) {
  Tokens tokens;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    auto wrong = [number](const auto&... reason) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", reason...));
    };
    line = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (words.size() < 3) return wrong("has ", words.size(), " words, not the 3 of NAME TOKEN RIGHTS");
    if (words[1].size() < kShortest) {
      return wrong("the token has ", words[1].size(), " characters, at least ", kShortest);
    }
    if (!std::all_of(words[1].begin(), words[1].end(), [](unsigned char byte) { return absl::ascii_isgraph(byte); })) {
      return wrong("the token has bytes that are no visible ASCII characters, which headers cannot carry");
    }
    Entry entry{HashOf(words[1]), {std::string(words[0])}};
    if (const absl::Status rights = SetRights(words[2], entry.holder); !rights.ok()) return wrong(rights.message());
    TokenLimitsReader limits;
    for (size_t i = 3; i < words.size(); ++i) {
      if (const absl::Status read = limits.Read(words[i]); !read.ok()) return wrong(read.message());
    }
    entry.holder.limits = limits.limits();
    tokens.lines_.try_emplace(entry.holder.name, number);
    for (const Entry& other : tokens.entries_) {
      if (other.hash == entry.hash) return wrong("the token stands in an earlier line, too");
      if (other.holder.name != entry.holder.name) continue;
      const std::string difference =
          DifferenceOf(entry.holder.limits, tokens.lines_.at(other.holder.name), other.holder.limits);
      if (!difference.empty()) return wrong(entry.holder.name, " has ", difference);
    }
    tokens.entries_.push_back(std::move(entry));
  }
  if (tokens.entries_.empty()) return absl::InvalidArgumentError("holds no token");
  return tokens;
}

const TokenHolder* Tokens::Find(absl::string_view token) const {
  const Sha256 hash = HashOf(token);
  const TokenHolder* found = nullptr;
  for (const Entry& entry : entries_) {
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry.holder;
  }
  return found;
}

absl::StatusOr<std::unique_ptr<TokenFile>> TokenFile::Open(std::string path, TimePoint now) {
  std::unique_ptr<TokenFile> file(new TokenFile(std::move(path)));
  const absl::StatusOr<std::string> text = ReadFile(file->path_);
  if (!text.ok()) return text.status();
  absl::StatusOr<Tokens> tokens = ParseOf(file->path_, *text);
  if (!tokens.ok()) return tokens.status();
  WarnIfOthersCanRead(file->path_);
  file->seen_ = SeenText(*text);
  MutexLock lock(file->mutex_);
  file->tokens_ = std::make_shared<const Tokens>(*std::move(tokens));
  file->next_look_ = now + kBetweenLooks;
  return file;
}

std::shared_ptr<const Tokens> TokenFile::Get(TimePoint now) {
  {
    MutexLock lock(mutex_);
    if (looking_ || now < next_look_) return tokens_;
    looking_ = true;
  }
  std::shared_ptr<const Tokens> fresh;
  const absl::StatusOr<std::string> text = ReadFile(path_);
  const std::string seen = text.ok() ? SeenText(*text) : std::string(text.status().message());
  if (std::exchange(seen_, seen) != seen) {
    absl::StatusOr<Tokens> tokens = text.ok() ? ParseOf(path_, *text) : text.status();
    if (tokens.ok()) {
      WarnIfOthersCanRead(path_);
      LogInfo("tokens", {{"file", path_}, {"tokens", tokens->size()}});
      fresh = std::make_shared<const Tokens>(*std::move(tokens));
    } else {
      LogError("tokens", {{"reason", tokens.status().message()}, {"kept", "those that were read before"}});
    }
  }
  MutexLock lock(mutex_);
  if (fresh != nullptr) tokens_ = std::move(fresh);
  next_look_ = now + kBetweenLooks;
  looking_ = false;
  return tokens_;
}

}  // namespace heed
