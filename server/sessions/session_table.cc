// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_table.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// For so many sessions the reason why they are gone is remembered.
constexpr size_t kMaxGone = 10'000;

}  // namespace

SessionTable::SessionTable(const SessionOptions& options, LeavingMemory leaving)
    : idle_limit_(options.idle_limit),
      max_sessions_(options.max_sessions),
      max_stored_(options.max_stored_sessions),
      max_bytes_(options.max_bytes),
      leaving_(leaving) {}

const SessionEntry* SessionTable::Find(const std::string& id) const {
  const auto place = entries_.find(id);
  return place == entries_.end() ? nullptr : &place->second;
}

absl::Status SessionTable::WhyGone(const std::string& id) const {
  const auto gone = gone_.find(id);
  // Not a copy, which would share its text with this one across threads: the thread sanitizer sees no peace in that.
  if (gone != gone_.end()) return absl::Status(gone->second.code(), gone->second.message());
  return absl::NotFoundError("session: there is none of this name, or none any more");
}

void SessionTable::AddResting(const std::string& id, TimePoint used) {
  const auto place = Detach(entries_.try_emplace(id).first);
  place->second.used = used;
  Attach(place);
}

void SessionTable::Put(std::shared_ptr<const Session> session, std::string revision, TimePoint now, Left& left) {
  const auto place = Detach(entries_.try_emplace(session->id).first);
  Empty(place, left);
  ++in_memory_;
  AddBytes(*session);
  place->second.session = std::move(session);
  place->second.revision = std::move(revision);
  place->second.used = now;
  Attach(place);
}

void SessionTable::Leave(const std::string& id, Left& left) {
  const auto place = entries_.find(id);
  if (place == entries_.end()) return;
  if (leaving_ == LeavingMemory::kDropped) return Erase(place, left);
  Detach(place);
  Empty(place, left);
  Attach(place);
}

void SessionTable::Drop(const std::string& id, Left& left) {
  const auto place = entries_.find(id);
  if (place != entries_.end()) Erase(place, left);
}

void SessionTable::CloseIdle(const std::string& id, Left& left) {
  if (leaving_ == LeavingMemory::kDropped) return Drop(id, left);
  Forget(id,
         absl::NotFoundError(
             absl::StrCat("session: it was closed, as it was not used for more than ", ToSeconds(idle_limit_), " s")),
         left);
}

void SessionTable::Forget(const std::string& id, absl::Status why, Left& left) {
  Remember(id, std::move(why));
  Drop(id, left);
}

void SessionTable::Use(const std::string& id, TimePoint now) {
  const auto place = Detach(entries_.find(id));
  place->second.used = now;
  Attach(place);
}

int64_t SessionTable::TakeLease(const std::string& id, TimePoint now) {
  const auto place = Detach(entries_.find(id));
  ++leased_;
  place->second.used = now;
  return place->second.lease = ++last_lease_;
}

void SessionTable::ReleaseLease(const std::string& id, int64_t lease, TimePoint now) {
  const auto place = entries_.find(id);
  if (place == entries_.end() || place->second.lease != lease) return;
  --leased_;
  place->second.lease = 0;
  place->second.used = now;
  Attach(place);
}

absl::Status SessionTable::CheckRoom() const {
  if (leased_ >= max_sessions_) {
    return absl::ResourceExhaustedError(absl::StrCat("sessions: requests are changing as many as may be in memory, ",
                                                     max_sessions_, ": try again later"));
  }
  if (leaving_ == LeavingMemory::kRest && static_cast<int64_t>(entries_.size()) >= max_stored_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sessions: there are ", entries_.size(), ", at most --max_stored_sessions=", max_stored_));
  }
  return absl::OkStatus();
}

size_t SessionTable::MakeRoom(const std::string& kept, Left& left) {
  size_t evicted = 0;
  auto next = unleased_in_memory_.begin();
  while ((in_memory_ > max_sessions_ || bytes_ > max_bytes_) && next != unleased_in_memory_.end()) {
    const std::string id = (next++)->second;
    if (id == kept) continue;
    ++evicted;
    if (leaving_ != LeavingMemory::kGone) {
      Leave(id, left);
      continue;
    }
    const std::string limit =
        in_memory_ > max_sessions_ ? absl::StrCat(max_sessions_, " sessions") : absl::StrCat(max_bytes_, " bytes");
    Forget(id, absl::NotFoundError(absl::StrCat("session: it made room for others, at the limit of ", limit)), left);
  }
  return evicted;
}

std::vector<std::string> SessionTable::Idle(TimePoint now, size_t most) const {
  std::vector<std::string> ids;
  if (idle_limit_ == Clock::duration::zero()) return ids;
  for (auto it = unleased_.begin(); it != unleased_.end() && now - it->first > idle_limit_ && ids.size() < most; ++it) {
    ids.push_back(it->second);
  }
  return ids;
}

bool SessionTable::IsIdle(const std::string& id, TimePoint now) const {
  const auto place = entries_.find(id);
  return idle_limit_ != Clock::duration::zero() && place != entries_.end() && place->second.lease == 0 &&
         now - place->second.used > idle_limit_;
}

std::vector<std::pair<std::string, TimePoint>> SessionTable::UsedSince(TimePoint then) const {
  std::vector<std::pair<std::string, TimePoint>> used;
  for (auto it = unleased_.lower_bound({then, ""}); it != unleased_.end(); ++it)
    used.emplace_back(it->second, it->first);
  return used;
}

SessionTable::Entries::iterator SessionTable::Detach(Entries::iterator place) {
  unleased_.erase({place->second.used, place->first});
  unleased_in_memory_.erase({place->second.used, place->first});
  return place;
}

void SessionTable::Attach(Entries::iterator place) {
  if (place->second.lease != 0) return;
  unleased_.emplace(place->second.used, place->first);
  if (place->second.session != nullptr) unleased_in_memory_.emplace(place->second.used, place->first);
}

void SessionTable::Empty(Entries::iterator place, Left& left) {
  if (place->second.session == nullptr) return;
  --in_memory_;
  RemoveBytes(*place->second.session);
  left.push_back(std::exchange(place->second.session, nullptr));
}

void SessionTable::Erase(Entries::iterator place, Left& left) {
  Detach(place);
  Empty(place, left);
  leased_ -= place->second.lease != 0;
  entries_.erase(place);
}

void SessionTable::AddBytes(const Session& session) {
  bytes_ += session.bytes();
  for (const SharedPart& part : session.state->shared_parts()) {
    if (++holders_[part.identity] > 1) bytes_ -= part.bytes;
  }
}

void SessionTable::RemoveBytes(const Session& session) {
  bytes_ -= session.bytes();
  for (const SharedPart& part : session.state->shared_parts()) {
    const auto holders = holders_.find(part.identity);
    if (--holders->second > 0) {
      bytes_ += part.bytes;
    } else {
      holders_.erase(holders);
    }
  }
}

void SessionTable::Remember(const std::string& id, absl::Status why) {
  if (!gone_.insert_or_assign(id, std::move(why)).second) return;
  gone_in_order_.push_back(id);
  if (gone_in_order_.size() <= kMaxGone) return;
  gone_.erase(gone_in_order_.front());
  gone_in_order_.pop_front();
}

}  // namespace heed
