// SPDX-License-Identifier: Apache-2.0
// Accepts connections and hands them on, and goes on doing so whatever happens: unlike gRPC 1.51's own listener, which
// never accepts again once descriptors have run out.
#pragma once

#include <functional>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/network/listening_sockets.h"
#include "server/network/socket_address.h"

namespace heed {

// One thread, which makes all calls back. Where the kernel gives no connection for want of descriptors or memory, it
// tries again every 100 ms; connections wait in the kernel's queue meanwhile.
class Listener {
 public:
  struct Callbacks {
    // A connection, non-blocking and closed by exec, whose descriptor is the callee's from now on. `listening`: the
    // descriptor that took it.
    std::function<void(int listening, int connection, const SocketAddress& peer)> take;
    // Whether connections can be accepted has changed: the reason why not, or OK. It is OK to begin with.
    std::function<void(const absl::Status&)> accepting;
    // Called once a second, give or take the time that the other calls need.
    std::function<void(TimePoint now)> tick;
  };

  Listener(ListeningSockets sockets, Callbacks callbacks);
  // Stops.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Not after Stop.
  const ListeningSockets& sockets() const { return *sockets_; }

  void Start();
  // Closes the sockets: who connects from now on is refused by the kernel. No call back is made afterwards.
  void Stop();

 private:
  void Run();
  // Takes what waits, at most so many that the thread soon looks around again. Not OK: why it cannot.
  absl::Status AcceptFrom(int listening);

  std::optional<ListeningSockets> sockets_;  // nothing: stopped
  const Callbacks callbacks_;
  int wake_;  // an eventfd: readable once the thread is to end
  std::thread thread_;
};

}  // namespace heed
