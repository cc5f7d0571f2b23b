// SPDX-License-Identifier: Apache-2.0
// Which sessions there are, which of them are in memory, who has their leases, and why others are gone: the store's
// policy, without threads, files or clocks.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/sessions/session.h"

namespace heed {

// What becomes of sessions that leave memory.
enum class LeavingMemory {
  kGone,     // they rest nowhere
  kRest,     // they rest where nobody else takes them: still known by name
  kDropped,  // they are where others have them, too: memory knows nothing of them any more
};

// What is known of a session.
struct SessionEntry {
  std::shared_ptr<const Session> session;  // null: it rests in its place alone
  std::string revision;                    // of `session`, in its place
  int64_t lease = 0;                       // the holder's number; 0: nobody
  TimePoint used;                          // last
};

// Not thread-safe. Sessions that leave memory are handed out, so that they can go with no lock held.
class SessionTable {
 public:
  using Left = std::vector<std::shared_ptr<const Session>>;

  SessionTable(const SessionOptions& options, LeavingMemory leaving);

  // Null: it is not known.
  const SessionEntry* Find(const std::string& id) const;
  // Of a session that is not known: NOT_FOUND and why, as far as that is remembered, or another reason not to serve it.
  absl::Status WhyGone(const std::string& id) const;

  // A session that rests in its place.
  void AddResting(const std::string& id, TimePoint used);
  // Puts a version in memory, where another may have been.
  void Put(std::shared_ptr<const Session> session, std::string revision, TimePoint now, Left& left);
  // It leaves memory, to rest, or dropped.
  void Leave(const std::string& id, Left& left);
  // It is known no more; why is not remembered.
  void Drop(const std::string& id, Left& left);
  // Nobody used it for too long.
  void CloseIdle(const std::string& id, Left& left);
  // It is known no more; `why` is remembered.
  void Forget(const std::string& id, absl::Status why, Left& left);
  void Use(const std::string& id, TimePoint now);

  // Of a session in memory that nobody has the lease of. Its number, of this table alone.
  int64_t TakeLease(const std::string& id, TimePoint now);
  // Does nothing if somebody else has the lease, or nobody.
  void ReleaseLease(const std::string& id, int64_t lease, TimePoint now);

  // RESOURCE_EXHAUSTED if one more session, beside those whose leases are taken, is not within the limits.
  absl::Status CheckRoom() const;
  // Lets the least recently used sessions leave memory until the rest are within the limits; never `kept`, nor a
  // session whose lease is taken. How many have left.
  size_t MakeRoom(const std::string& kept, Left& left);
  // At most `most` sessions that nobody has used for longer than the limit, and nobody has the lease of.
  std::vector<std::string> Idle(TimePoint now, size_t most) const;
  // One that is known.
  bool IsIdle(const std::string& id, TimePoint now) const;
  // Sessions that were used since then, and nobody has the lease of; when they were.
  std::vector<std::pair<std::string, TimePoint>> UsedSince(TimePoint then) const;

  int64_t in_memory() const { return in_memory_; }
  // Of the sessions in memory; what several of them share counts once.
  int64_t bytes() const { return bytes_; }

 private:
  using Entries = std::unordered_map<std::string, SessionEntry>;
  using ByUse = std::set<std::pair<TimePoint, std::string>>;

  // An entry is changed between these two.
  Entries::iterator Detach(Entries::iterator place);
  void Attach(Entries::iterator place);
  void Empty(Entries::iterator place, Left& left);
  void Erase(Entries::iterator place, Left& left);
  // A session comes to memory, or leaves it: adds its bytes, or takes them off.
  void AddBytes(const Session& session);
  void RemoveBytes(const Session& session);
  void Remember(const std::string& id, absl::Status why);

  const Clock::duration idle_limit_;
  const int64_t max_sessions_;
  const int64_t max_stored_;
  const int64_t max_bytes_;
  const LeavingMemory leaving_;

  Entries entries_;
  ByUse unleased_;            // all sessions whose lease nobody has
  ByUse unleased_in_memory_;  // those of them that are in memory
  int64_t in_memory_ = 0;
  int64_t leased_ = 0;
  int64_t bytes_ = 0;                                 // as bytes()
  std::unordered_map<const void*, int64_t> holders_;  // of each shared part of a state: how many sessions in memory
  int64_t last_lease_ = 0;
  std::unordered_map<std::string, absl::Status> gone_;
  std::deque<std::string> gone_in_order_;  // the first one is forgotten first
};

}  // namespace heed
