// SPDX-License-Identifier: Apache-2.0
// Which connections an HTTP server has, what each is doing, and which have to go so that others are heard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace heed {

struct HttpConnectionLimits {
  size_t max_connections = 128;
  size_t max_per_origin = 0;  // 0: no such limit
  // From a connection's start until the head of its first request has come.
  Clock::duration max_head = std::chrono::seconds(5);
  // From the end of an answer until the head of the next request has come.
  Clock::duration max_idle = std::chrono::seconds(5);
  // That a body may take to come, and an answer to be taken, and a second more for each min_bytes_per_s bytes of it.
  Clock::duration max_transfer = std::chrono::seconds(5);
  int64_t min_bytes_per_s = 16 << 10;
};

// Decides only; whoever asks closes the connections. Not thread-safe.
class HttpConnections {
 public:
  explicit HttpConnections(const HttpConnectionLimits& limits) : limits_(limits) {}

  // A connection from `origin` (SocketAddress::Origin) has come; `limit_origin`: max_per_origin is for it, too. Returns
  // those that have to go to make room: of the origin that has most, the one that has waited or been slow for longest,
  // so that nobody crowds out the others. One whose request is being served stays. If all are: the new one goes.
  std::vector<int> Add(int descriptor, std::string origin, bool limit_origin, TimePoint now);
  // The head of a request has come: its body is on the way.
  void Receiving(int descriptor, TimePoint now) { Enter(descriptor, Phase::kTransfer, now); }
  // So many more bytes have come, or were taken.
  void Moved(int descriptor, int64_t bytes);
  // The server is at work: the client owes nothing.
  void Serving(int descriptor, TimePoint now) { Enter(descriptor, Phase::kServing, now); }
  // There is something for the client to take. Changes nothing if that was so before.
  void Sending(int descriptor, TimePoint now);
  // It has taken a whole answer: the next request may come.
  void Answered(int descriptor, TimePoint now) { Enter(descriptor, Phase::kIdle, now); }
  // It was closed.
  void Remove(int descriptor);
  // Those whose time is over: they have to go.
  std::vector<int> Overdue(TimePoint now);
  // Those that wait for a request: they have to go.
  std::vector<int> Waiting();

  // Without those that have to go.
  size_t size() const { return connections_.size() - leaving_; }
  // Whether so many have to go and are not closed yet that no more should be added for now.
  bool IsCrowded() const { return leaving_ >= limits_.max_connections; }

 private:
  enum class Phase { kHead, kIdle, kTransfer, kServing };
  struct Connection {
    std::string origin;
    Phase phase = Phase::kHead;
    TimePoint since;    // the phase began
    int64_t bytes = 0;  // that moved in it
    bool is_sending = false;
    bool leaves = false;
  };
  struct Origin {
    size_t count = 0;                               // without those that leave
    std::set<std::pair<TimePoint, int>> evictable;  // by how long they have waited
  };

  void Enter(int descriptor, Phase phase, TimePoint now);
  // Of what Origin counts.
  void Count(int descriptor, const Connection& connection);
  void Discount(int descriptor, const Connection& connection);
  void Leave(int descriptor, Connection& connection);
  // The one of `origin` that has waited for longest; `descriptor` if none waits.
  int OldestOf(const std::string& origin, int descriptor) const;

  const HttpConnectionLimits limits_;
  std::map<int, Connection> connections_;  // by descriptor
  std::map<std::string, Origin> origins_;
  std::set<std::pair<size_t, std::string>> by_count_;  // of origins_
  size_t leaving_ = 0;
};

}  // namespace heed
