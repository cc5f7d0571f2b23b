// SPDX-License-Identifier: Apache-2.0
// How many connections a port may have, and which are still there.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "server/network/socket_address.h"

namespace heed {

struct ConnectionLimits {
  int64_t max_connections = 0;  // at least 1
  // Of one origin (SocketAddress::Origin); 0: no such limit. Unix sockets have none.
  int64_t max_per_address = 0;
  // Whether that also holds for loopback addresses.
  bool limit_loopback = true;
};

// Counts connections that somebody else closes without a word: it remembers each one's descriptor and inode, and looks
// whether they still belong together. Not thread-safe.
class OpenConnections {
 public:
  explicit OpenConnections(const ConnectionLimits& limits) : limits_(limits) {}

  enum class Verdict { kAdmitted, kTooMany, kTooManyOfAddress };
  // Remembers the connection if it is admitted. To be called before anybody else may close it.
  Verdict Admit(int descriptor, const SocketAddress& peer, TimePoint now);

  // Forgets those that were closed. Costs a system call for each.
  void Sweep();

  size_t size() const { return connections_.size(); }
  bool IsFull() const { return size() >= static_cast<size_t>(limits_.max_connections); }

 private:
  struct Connection {
    dev_t device = 0;
    ino_t inode = 0;
    std::string origin;
  };
  using Connections = absl::flat_hash_map<int, Connection>;

  Verdict VerdictOn(const SocketAddress& peer, const std::string& origin) const;
  void SweepIfRested(TimePoint now);
  void Forget(Connections::iterator connection);

  const ConnectionLimits limits_;
  Connections connections_;  // by descriptor
  absl::flat_hash_map<std::string, int64_t> by_origin_;
  TimePoint next_sweep_{};  // of Admit's
};

}  // namespace heed
