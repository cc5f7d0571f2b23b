// SPDX-License-Identifier: Apache-2.0
// Which connections the HTTP endpoint has, and which of them have to go so that others are heard.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace heed {

struct HttpConnectionLimits {
  size_t max_connections = 128;
  // From a connection's start, or from the end of its last answer, until its next answer was taken: however slowly the
  // head of a request comes and the answer is read.
  Clock::duration max_exchange = std::chrono::seconds(5);
};

// Decides only; whoever asks closes the connections. Not thread-safe.
class HttpConnections {
 public:
  explicit HttpConnections(const HttpConnectionLimits& limits) : limits_(limits) {}

  // A connection from `origin` (SocketAddress::Origin) has come. Returns those that have to go to make room: the one
  // that has been busy for longest of the origin that has most, so that nobody crowds out the others.
  std::vector<int> Add(int descriptor, std::string origin, TimePoint now);
  // It has taken an answer: the next request may come.
  void Answered(int descriptor, TimePoint now);
  // It was closed.
  void Remove(int descriptor);
  // Those whose time is over: they have to go.
  std::vector<int> Overdue(TimePoint now);

  // Without those that have to go.
  size_t size() const { return connections_.size() - leaving_; }
  // Whether so many have to go and are not closed yet that no more should be added for now.
  bool IsCrowded() const { return leaving_ >= limits_.max_connections; }

 private:
  struct Connection {
    std::string origin;
    TimePoint since;  // the exchange under way began
    bool leaves = false;
  };

  void Leave(Connection& connection);

  const HttpConnectionLimits limits_;
  std::map<int, Connection> connections_;  // by descriptor
  size_t leaving_ = 0;
};

}  // namespace heed
