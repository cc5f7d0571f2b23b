// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_place_redis.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/platform/random_name.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

// Of a whole operation, connecting included.
constexpr std::chrono::seconds kPatience(2);
constexpr std::chrono::milliseconds kLeastPause(50);
constexpr std::chrono::seconds kMaxPause(2);
constexpr int kRevisionBytes = 8;
constexpr int kMaxLost = 3;  // connections of one operation

// How long a session that was closed is remembered.
constexpr char kRememberedMillis[] = "3600000";

// KEYS: the session. ARGV: the revision that is known, the idle limit. Nothing; "closed"; the revision; or revision and
// data.
constexpr char kRead[] = R"(
local revisions = redis.call('HGET', KEYS[1], 'revisions')
if not revisions then
  local gone = redis.call('HGET', KEYS[1], 'gone')
  return gone and {gone} or {}
end
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
local present = string.sub(revisions, 1, 16)
if present == ARGV[1] then return {present} end
return {present, redis.call('HGET', KEYS[1], 'data')}
)";

// ARGV: the revision to replace, the new one, data, the idle limit, the time in microseconds after which it is too
// late.
constexpr char kWrite[] = R"(
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[5]) then return 'late' end
local revisions = redis.call('HGET', KEYS[1], 'revisions') or ''
if string.find(revisions, ARGV[2], 1, true) then return 'written' end
local present = string.sub(revisions, 1, 16)
if present ~= ARGV[1] then return present == '' and 'gone' or 'changed' end
redis.call('HSET', KEYS[1], 'revisions', string.sub(ARGV[2] .. revisions, 1, 256), 'data', ARGV[3])
if ARGV[4] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 'written'
)";

// ARGV: how long it is remembered. 0: there is none.
constexpr char kRemove[] = R"(
if redis.call('HEXISTS', KEYS[1], 'revisions') == 0 then return '0' end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'gone', 'closed')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return '1'
)";

std::string Key(const std::string& id) { return absl::StrCat("heed:session:", id); }

std::string First(const RedisReply& reply) { return reply.texts.empty() ? "" : reply.texts.front().value_or(""); }

}  // namespace

absl::StatusOr<std::unique_ptr<SessionPlace>> SessionRedis::Open(const SessionOptions& options) {
  absl::StatusOr<RedisAddress> address = ParseRedisUrl(options.place);
  if (!address.ok()) return absl::InvalidArgumentError(absl::StrCat("--sessions: ", address.status().message()));
  if (address->password.empty()) address->password = options.redis_password;
  if (address->tls) address->tls = options.redis_tls;
  return std::unique_ptr<SessionPlace>(new SessionRedis(*std::move(address), options.idle_limit));
}

SessionRedis::SessionRedis(RedisAddress address, Clock::duration idle_limit)
    : address_(std::move(address)),
      idle_millis_(absl::StrCat(std::chrono::ceil<std::chrono::milliseconds>(idle_limit).count())) {}

absl::StatusOr<PlacedSession> SessionRedis::Read(const std::string& id, const std::string& known) {
  bool unanswered = false;
  auto command = [&](const RedisConnection&) {
    return std::vector<std::string>{"EVAL", kRead, "1", Key(id), known, idle_millis_};
  };
  HEED_ASSIGN_OR_RETURN(RedisReply reply, Call(command, unanswered));
  if (reply.texts.empty()) return Gone();
  if (First(reply) == "closed") return absl::NotFoundError("session: it was closed");
  PlacedSession placed{reply.texts.front().value_or(""), std::nullopt};
  if (reply.texts.size() > 1) placed.data = std::move(reply.texts[1]).value_or("");
  return placed;
}

absl::StatusOr<std::string> SessionRedis::Write(const std::string& id, const std::string& known,
                                                absl::string_view data) {
  const std::string revision = RandomName(kRevisionBytes);
  const TimePoint latest = Clock::now() + kPatience;
  auto command = [&](const RedisConnection& connection) {
    const std::string latest_micros = absl::StrCat(connection.RedisMicros(latest));
    return std::vector<std::string>{"EVAL",       kWrite,       "1", Key(id), known, revision, std::string(data),
                                    idle_millis_, latest_micros};
  };
  bool unanswered = false;
  const absl::StatusOr<RedisReply> reply = Call(command, unanswered);
  if (!reply.ok() && unanswered) {
    return absl::UnavailableError(absl::StrCat(
        reply.status().message(), "; whether the change was made is not known: a request_id, if it had one, tells"));
  }
  if (!reply.ok()) return reply.status();
  const std::string outcome = First(*reply);
  if (outcome == "written") return revision;
  if (outcome == "gone") return Gone();
  if (outcome == "changed") return absl::AbortedError("session: Redis has another revision");
  // Or its clock was set: new connections look at it again.
  ForgetConnections();
  return Unavailable("the change came too late");
}

absl::Status SessionRedis::Remove(const std::string& id) {
  bool unanswered = false;
  auto command = [&](const RedisConnection&) {
    return std::vector<std::string>{"EVAL", kRemove, "1", Key(id), kRememberedMillis};
  };
  HEED_ASSIGN_OR_RETURN(const RedisReply reply, Call(command, unanswered));
  return First(reply) == "0" && !unanswered ? Gone() : absl::OkStatus();
}

absl::StatusOr<RedisReply> SessionRedis::Call(Command command, bool& unanswered) {
  const TimePoint deadline = Clock::now() + kPatience;
  int lost = 0;
  while (true) {
    HEED_ASSIGN_OR_RETURN(std::unique_ptr<RedisConnection> connection, Connect(deadline));
    const std::vector<std::string> texts = command(*connection);
    absl::StatusOr<RedisReply> reply =
        connection->Call(std::vector<absl::string_view>(texts.begin(), texts.end()), deadline);
    if (!connection->lost()) {
      MutexLock lock(mutex_);
      pause_ = Clock::duration::zero();
      idle_.push_back(std::move(connection));
      if (!reply.ok()) return Unavailable(reply.status().message());
      return reply;
    }
    unanswered = true;
    // With time left: Redis was started again, or had closed a connection that was idle.
    if (++lost == kMaxLost || Clock::now() >= deadline) return Pause(reply.status());
    ForgetConnections();  // the others are no better
  }
}

absl::StatusOr<std::unique_ptr<RedisConnection>> SessionRedis::Connect(TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<RedisConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    if (Clock::now() < next_try_) return Unavailable(error_);
  }
  absl::StatusOr<std::unique_ptr<RedisConnection>> connection = RedisConnection::Open(address_, deadline);
  if (!connection.ok()) return Pause(connection.status());
  return connection;
}

absl::Status SessionRedis::Pause(const absl::Status& error) {
  MutexLock lock(mutex_);
  error_ = std::string(error.message());
  // Threads that fail together make one pause.
  if (Clock::now() >= next_try_) {
    pause_ = std::clamp<Clock::duration>(2 * pause_, kLeastPause, kMaxPause);
    next_try_ = Clock::now() + pause_;
    LogError("sessions", {{"redis", absl::StrCat(address_.host, ":", address_.port)},
                          {"state", "failed"},
                          {"reason", error_},
                          {"next_try_s", ToSeconds(pause_)}});
  }
  return Unavailable(error_);
}

void SessionRedis::ForgetConnections() {
  std::vector<std::unique_ptr<RedisConnection>> closed;  // with no lock held
  MutexLock lock(mutex_);
  closed.swap(idle_);
}

absl::Status SessionRedis::Gone() const {
  return absl::NotFoundError(absl::StrCat(
      "session: there is none of this name in Redis, or none any more",
      idle_millis_ == "0" ? ""
                          : absl::StrCat(": sessions are closed when they are not used for ", idle_millis_, " ms")));
}

absl::Status SessionRedis::Unavailable(absl::string_view reason) const {
  return absl::UnavailableError(absl::StrCat("session: Redis at ", address_.host, ":", address_.port, ": ", reason));
}

}  // namespace heed
