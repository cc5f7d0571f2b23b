// SPDX-License-Identifier: Apache-2.0
// One connection to Redis whose every call ends by its deadline.
//
// Only redis_connection.cc knows hiredis, whose protocol it speaks over a stream of ours: hiredis 0.14 has no TLS, and
// it looks names up without a deadline.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "server/sessions/deadline_stream.h"

struct redisReader;

namespace heed {

struct RedisAddress {
  std::string host;
  int port = 6379;
  std::optional<StreamTls> tls;  // none: plain text
  std::string user;              // of an access control list; empty: the default user
  std::string password;          // empty: none
  int database = 0;
};

// redis://[[USER]:PASSWORD@]HOST:PORT[/DATABASE], or rediss:// for TLS; user and password as they are, nothing in them
// encoded. INVALID_ARGUMENT says what is wrong, and never the password.
absl::StatusOr<RedisAddress> ParseRedisUrl(absl::string_view url);

// An answer of Redis that is no error: nothing, one text (a number, too), or a list of texts.
struct RedisReply {
  std::vector<std::optional<std::string>> texts;
};

// Not thread-safe. After an error of Call, but UNAVAILABLE's answer of Redis itself, the connection is lost.
class RedisConnection {
 public:
  // Connected, authenticated, in its database. UNAVAILABLE: why not. INVALID_ARGUMENT: a file of address.tls cannot be
  // used.
  static absl::StatusOr<std::unique_ptr<RedisConnection>> Open(const RedisAddress& address, TimePoint deadline);
  ~RedisConnection() = default;
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // Sends a command and waits for its answer. UNAVAILABLE: Redis refused it; or the connection is lost, and nobody
  // knows whether the command was carried out.
  absl::StatusOr<RedisReply> Call(absl::Span<const absl::string_view> command, TimePoint deadline);
  bool lost() const { return lost_; }
  // The time of Redis' clock, in microseconds, when ours shows `time`; earlier rather than later.
  int64_t RedisMicros(TimePoint time) const;

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };

  explicit RedisConnection(std::unique_ptr<DeadlineStream> stream);
  absl::Status Introduce(const RedisAddress& address, TimePoint deadline);
  absl::Status Lost(absl::Status status);

  const std::unique_ptr<DeadlineStream> stream_;
  const std::unique_ptr<redisReader, FreeReader> reader_;
  bool lost_ = false;
  int64_t offset_micros_ = 0;  // of Redis' clock to ours
};

}  // namespace heed
