// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_connections.h"

namespace heed {

std::vector<int> HttpConnections::Add(int descriptor, std::string origin, bool limit_origin, TimePoint now) {
  Remove(descriptor);
  Connection& added = connections_[descriptor];
  added.origin = std::move(origin);
  added.since = now;
  Count(descriptor, added);
  std::vector<int> leave;
  const auto make_room = [&](const std::string& crowded) {
    const int oldest = OldestOf(crowded, descriptor);
    Leave(oldest, connections_.at(oldest));
    leave.push_back(oldest);
  };
  if (limit_origin && limits_.max_per_origin > 0 && origins_.at(added.origin).count > limits_.max_per_origin) {
    make_room(added.origin);
  }
  while (size() > limits_.max_connections) make_room(by_count_.rbegin()->second);
  return leave;
}

int HttpConnections::OldestOf(const std::string& origin, int descriptor) const {
  for (const auto& [since, other] : origins_.at(origin).evictable) {
    if (other != descriptor) return other;
  }
  return descriptor;
}

void HttpConnections::Enter(int descriptor, Phase phase, TimePoint now) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (!connection.leaves) Discount(descriptor, connection);
  connection.phase = phase;
  connection.since = now;
  connection.bytes = 0;
  connection.is_sending = false;
  if (!connection.leaves) Count(descriptor, connection);
}

void HttpConnections::Sending(int descriptor, TimePoint now) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end() || found->second.is_sending) return;
  Enter(descriptor, Phase::kTransfer, now);
  found->second.is_sending = true;
}

void HttpConnections::Moved(int descriptor, int64_t bytes) {
  const auto found = connections_.find(descriptor);
  if (found != connections_.end()) found->second.bytes += bytes;
}

void HttpConnections::Remove(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  if (found->second.leaves) {
    --leaving_;
  } else {
    Discount(descriptor, found->second);
  }
  connections_.erase(found);
}

std::vector<int> HttpConnections::Overdue(TimePoint now) {
  std::vector<int> overdue;
  for (auto& [descriptor, connection] : connections_) {
    if (connection.leaves || connection.phase == Phase::kServing) continue;
    Clock::duration limit = connection.phase == Phase::kHead ? limits_.max_head : limits_.max_idle;
    if (connection.phase == Phase::kTransfer) {
      const auto for_bytes = std::chrono::milliseconds(1000 * connection.bytes / limits_.min_bytes_per_s);
      limit = limits_.max_transfer + for_bytes;
    }
    if (now - connection.since < limit) continue;
    Leave(descriptor, connection);
    overdue.push_back(descriptor);
  }
  return overdue;
}

std::vector<int> HttpConnections::Waiting() {
  std::vector<int> waiting;
  for (auto& [descriptor, connection] : connections_) {
    if (connection.leaves || (connection.phase != Phase::kHead && connection.phase != Phase::kIdle)) continue;
    Leave(descriptor, connection);
    waiting.push_back(descriptor);
  }
  return waiting;
}

void HttpConnections::Count(int descriptor, const Connection& connection) {
  Origin& origin = origins_[connection.origin];
  if (origin.count > 0) by_count_.erase({origin.count, connection.origin});
  by_count_.insert({++origin.count, connection.origin});
  if (connection.phase != Phase::kServing) origin.evictable.insert({connection.since, descriptor});
}

void HttpConnections::Discount(int descriptor, const Connection& connection) {
  const auto found = origins_.find(connection.origin);
  Origin& origin = found->second;
  origin.evictable.erase({connection.since, descriptor});
  by_count_.erase({origin.count, connection.origin});
  if (--origin.count == 0) {
    origins_.erase(found);
  } else {
    by_count_.insert({origin.count, connection.origin});
  }
}

void HttpConnections::Leave(int descriptor, Connection& connection) {
  Discount(descriptor, connection);
  connection.leaves = true;
  ++leaving_;
}

}  // namespace heed
