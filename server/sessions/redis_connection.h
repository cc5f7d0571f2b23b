// One connection to Redis whose every call ends by its deadline.
//
// hiredis is known to redis_connection.cc alone.
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

struct redisContext;

namespace heed {

struct RedisAddress {
  std::string host;
  int port = 6379;
  std::string password;  // empty: none
  int database = 0;
};

// redis://[:PASSWORD@]HOST:PORT[/DATABASE]; the password as it is, nothing in it encoded. INVALID_ARGUMENT says what is
// wrong, and never the password.
absl::StatusOr<RedisAddress> ParseRedisUrl(absl::string_view url);

// An answer of Redis that is no error: nothing, one text (a number, too), or a list of texts.
struct RedisReply {
  std::vector<std::optional<std::string>> texts;
};

// Not thread-safe. After an error of Call, but UNAVAILABLE's answer of Redis itself, the connection is lost.
class RedisConnection {
 public:
  // Connected, authenticated, in its database. UNAVAILABLE: why not. The look-up of a host's name may outlast
  // `deadline`.
  static absl::StatusOr<std::unique_ptr<RedisConnection>> Open(const RedisAddress& address, TimePoint deadline);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // Sends a command and waits for its answer. UNAVAILABLE: Redis refused it; or the connection is lost, and nobody
  // knows whether the command was carried out.
  absl::StatusOr<RedisReply> Call(absl::Span<const absl::string_view> command, TimePoint deadline);
  bool lost() const { return lost_; }
  // The time of Redis' clock, in microseconds, when ours shows `time`; earlier rather than later.
  int64_t RedisMicros(TimePoint time) const;

 private:
  explicit RedisConnection(redisContext* context) : context_(context) {}
  absl::Status Introduce(const RedisAddress& address, TimePoint deadline);
  // Waits for `events` of poll(2).
  absl::Status Await(short events, TimePoint deadline);
  absl::Status Lost(absl::string_view reason);

  redisContext* const context_;
  bool lost_ = false;
  int64_t offset_micros_ = 0;  // of Redis' clock to ours
};

}  // namespace heed
