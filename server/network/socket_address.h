// SPDX-License-Identifier: Apache-2.0
// The address of one end of a connection, as the kernel holds it.
#pragma once

#include <sys/socket.h>

#include <string>

namespace heed {

struct SocketAddress {
  sockaddr_storage storage{};  // AF_UNSPEC: unknown
  socklen_t size = 0;          // bytes of it in use

  static SocketAddress Of(const sockaddr* address, socklen_t size);
  // Of the socket's own end. AF_UNSPEC: it is no socket.
  static SocketAddress OfSocket(int socket);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }

  bool is_unix() const { return storage.ss_family == AF_UNIX; }
  // 127.0.0.0/8 and ::1, also ::ffff:127.0.0.1.
  bool IsLoopback() const;
  // 0.0.0.0 and ::.
  bool IsWildcard() const;
  int port() const;  // 0: it has none
  void set_port(int port);

  // "127.0.0.1:50051", "[::1]:50051", "unix:/run/heed.sock".
  std::string Text() const;

  // Whom a connection counts for: an IPv4 address; of IPv6 the first 64 bits, since one host usually has all that begin
  // with them; the same for every Unix socket.
  std::string Origin() const;
};

}  // namespace heed
