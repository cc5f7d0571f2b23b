// SPDX-License-Identifier: Apache-2.0
#include "server/network/open_connections.h"

#include <sys/stat.h>

#include <utility>

namespace heed {
namespace {

// How long Admit rests for each connection that a sweep looked at, some 20 times what that took: a flood of connections
// beyond the limit keeps nobody busy with sweeping.
constexpr std::chrono::microseconds kSweepRest(10);

}  // namespace

OpenConnections::Verdict OpenConnections::Admit(int descriptor, const SocketAddress& peer, TimePoint now) {
  // The descriptor was given again: whoever had it is gone.
  if (const auto before = connections_.find(descriptor); before != connections_.end()) Forget(before);
  const std::string origin = peer.Origin();
  Verdict verdict = VerdictOn(peer, origin);
  if (verdict != Verdict::kAdmitted) {
    SweepIfRested(now);
    verdict = VerdictOn(peer, origin);
  }
  if (verdict != Verdict::kAdmitted) return verdict;
  struct stat file {};
  if (fstat(descriptor, &file) != 0) return verdict;
  connections_[descriptor] = {file.st_dev, file.st_ino, origin};
  ++by_origin_[origin];
  if (IsFull()) SweepIfRested(now);
  return verdict;
}

void OpenConnections::SweepIfRested(TimePoint now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + static_cast<int64_t>(size()) * kSweepRest;
  Sweep();
}

void OpenConnections::Sweep() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto connection = it++;
    struct stat file {};
    const bool is_open = fstat(connection->first, &file) == 0 && file.st_dev == connection->second.device &&
                         file.st_ino == connection->second.inode;
    if (!is_open) Forget(connection);
  }
}

OpenConnections::Verdict OpenConnections::VerdictOn(const SocketAddress& peer, const std::string& origin) const {
  if (IsFull()) return Verdict::kTooMany;
  const bool is_limited =
      limits_.max_per_address > 0 && !peer.is_unix() && (limits_.limit_loopback || !peer.IsLoopback());
  if (!is_limited) return Verdict::kAdmitted;
  const auto count = by_origin_.find(origin);
  const bool is_too_many = count != by_origin_.end() && count->second >= limits_.max_per_address;
  return is_too_many ? Verdict::kTooManyOfAddress : Verdict::kAdmitted;
}

void OpenConnections::Forget(Connections::iterator connection) {
  const auto count = by_origin_.find(connection->second.origin);
  if (--count->second == 0) by_origin_.erase(count);
  connections_.erase(connection);
}

}  // namespace heed
