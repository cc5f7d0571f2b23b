// SPDX-License-Identifier: Apache-2.0
#include "server/network/http_connections.h"

#include <algorithm>
#include <utility>

namespace heed {

std::vector<int> HttpConnections::Add(int descriptor, std::string origin, TimePoint now) {
  Remove(descriptor);
  connections_[descriptor] = {std::move(origin), now};
  std::vector<int> leave;
  while (size() > limits_.max_connections) {
    std::map<std::string, size_t> by_origin;
    for (const auto& [other, connection] : connections_) by_origin[connection.origin] += !connection.leaves;
    const auto most = std::max_element(by_origin.begin(), by_origin.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    auto oldest = connections_.end();
    for (auto it = connections_.begin(); it != connections_.end(); ++it) {
      if (it->second.leaves || it->second.origin != most->first || it->first == descriptor) continue;
      if (oldest == connections_.end() || it->second.since < oldest->second.since) oldest = it;
    }
    if (oldest == connections_.end()) break;
    Leave(oldest->second);
    leave.push_back(oldest->first);
  }
  return leave;
}

void HttpConnections::Answered(int descriptor, TimePoint now) {
  const auto connection = connections_.find(descriptor);
  if (connection != connections_.end()) connection->second.since = now;
}

void HttpConnections::Remove(int descriptor) {
  const auto connection = connections_.find(descriptor);
  if (connection == connections_.end()) return;
  leaving_ -= connection->second.leaves;
  connections_.erase(connection);
}

std::vector<int> HttpConnections::Overdue(TimePoint now) {
  std::vector<int> overdue;
  for (auto& [descriptor, connection] : connections_) {
    if (connection.leaves || now - connection.since < limits_.max_exchange) continue;
    Leave(connection);
    overdue.push_back(descriptor);
  }
  return overdue;
}

void HttpConnections::Leave(Connection& connection) {
  connection.leaves = true;
  ++leaving_;
}

}  // namespace heed
