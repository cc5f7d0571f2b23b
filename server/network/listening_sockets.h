// SPDX-License-Identifier: Apache-2.0
// The sockets that take connections at one address: a name may stand for several.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/listen_address.h"
#include "server/network/socket_address.h"

namespace heed {

// Owns the sockets, which are non-blocking, closed by exec and not shared with another process' (no SO_REUSEPORT).
// Connections that they take inherit TCP_NODELAY, and TCP_USER_TIMEOUT where `user_timeout` is not zero: how long what
// was sent may be without an acknowledgement. Move-only.
class ListeningSockets {
 public:
  // Listens at once; connections wait in the kernel's queue until somebody accepts them. A Unix socket's file that
  // another server left behind is replaced. UNAVAILABLE says why it cannot be listened on, without naming `address`:
  // the host is unknown, the port is taken, the address is not this machine's, a file is in the way.
  static absl::StatusOr<ListeningSockets> Open(const ListenAddress& address,
                                               Clock::duration user_timeout = Clock::duration::zero());
  // Closes them. Removes a Unix socket's file, unless another has taken its place.
  ~ListeningSockets();
  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&&) = delete;

  const std::vector<int>& descriptors() const { return descriptors_; }
  // The address as clients write it, with the port that was picked: "localhost:34463", "[::]:50051" for every address.
  const std::string& address() const { return address_; }
  int port() const { return port_; }  // 0: of a Unix socket

 private:
  ListeningSockets() = default;

  absl::Status OpenUnix(const std::string& path);
  absl::Status OpenTcp(const ListenAddress& address, std::vector<SocketAddress> resolved, Clock::duration user_timeout);

  std::vector<int> descriptors_;
  std::string address_;
  int port_ = 0;
  std::string unix_path_;    // to be removed at the end
  uint64_t unix_inode_ = 0;  // of that file
};

}  // namespace heed
