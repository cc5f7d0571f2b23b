// SPDX-License-Identifier: Apache-2.0
// Sessions in Redis, where any number of servers read and change them.
//
// heed:session:ID is a hash of
//   data        one session's bytes
//   revisions   random names of the last writes, 16 digits each, the present one first
// and expires when nobody has used the session for the idle limit. Of one that was closed a field "gone" stays for an
// hour, so that every server can say so. Scripts change it in one step. A write names the
// revision that it replaces and its own, so that it may be sent again when its answer was lost: it is carried out once.
// It is not carried out at all when it arrives after this server has given it up.
//
// Lost connections are made again, with growing pauses while that fails, during which everything is UNAVAILABLE at
// once. What Redis loses is lost: it should keep an append-only file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"
#include "server/sessions/redis_connection.h"
#include "server/sessions/session_place.h"

namespace heed {

class SessionRedis : public SessionPlace {
 public:
  // INVALID_ARGUMENT: options.place is no URL of Redis. Connects when it is first needed.
  static absl::StatusOr<std::unique_ptr<SessionPlace>> Open(const SessionOptions& options);

  bool shared() const override { return true; }
  absl::StatusOr<std::vector<RestingSession>> List() override { return std::vector<RestingSession>(); }
  absl::StatusOr<PlacedSession> Read(const std::string& id, const std::string& known) override;
  // UNAVAILABLE: nobody knows whether it was written, if Redis or the connection to it was lost on the way.
  absl::StatusOr<std::string> Write(const std::string& id, const std::string& known, absl::string_view data) override;
  absl::Status Remove(const std::string& id) override;
  void NoteUse(const std::string&, Clock::duration) override {}     // Read has noted it
  std::string SetAside(const std::string&) override { return ""; }  // it expires

 private:
  SessionRedis(RedisAddress address, Clock::duration idle_limit);

  using Command = absl::FunctionRef<std::vector<std::string>(const RedisConnection&)>;

  // Sends what `command` says, on one connection after the other while they are lost, until it is answered.
  // `unanswered`: it was sent at least once without an answer, and may have been carried out then.
  absl::StatusOr<RedisReply> Call(Command command, bool& unanswered) EXCLUDES(mutex_);
  absl::StatusOr<std::unique_ptr<RedisConnection>> Connect(TimePoint deadline) EXCLUDES(mutex_);
  // UNAVAILABLE with the reason; for a while no new connection is tried.
  absl::Status Pause(const absl::Status& error) EXCLUDES(mutex_);
  absl::Status Unavailable(absl::string_view reason) const;
  absl::Status Gone() const;
  void ForgetConnections() EXCLUDES(mutex_);

  const RedisAddress address_;
  const std::string idle_millis_;  // "0": none
  Mutex mutex_;
  std::vector<std::unique_ptr<RedisConnection>> idle_ GUARDED_BY(mutex_);  // connections that nobody uses
  Clock::duration pause_ GUARDED_BY(mutex_) = Clock::duration::zero();     // before the next try
  TimePoint next_try_ GUARDED_BY(mutex_);
  std::string error_ GUARDED_BY(mutex_);  // of the last try
};

}  // namespace heed
