// SPDX-License-Identifier: Apache-2.0
#include "server/network/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/network/socket_address.h"

namespace heed {
namespace {

// With port 0 and several addresses the port that the kernel picked for the first may be taken at another.
constexpr int kMaxTries = 8;

class Socket {
 public:
  explicit Socket(int family) : descriptor_(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;

  int get() const { return descriptor_; }
  int Release() { return std::exchange(descriptor_, -1); }
  void Set(int level, int option, int value) { setsockopt(descriptor_, level, option, &value, sizeof(value)); }

 private:
  int descriptor_;
};

absl::Status Failed(int error) {
  const char* const hint = error == EADDRNOTAVAIL ? ": the address is not this machine's" : "";
  return absl::UnavailableError(absl::StrCat(std::strerror(error), hint));
}

std::optional<uint64_t> InodeOfSocketFile(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return std::nullopt;
  return file.st_ino;
}

// Whether somebody listens on `address`.
bool IsAnswered(const SocketAddress& address) {
  const Socket client(AF_UNIX);
  return connect(client.get(), address.get(), address.size) == 0 || errno == EAGAIN;
}

// A TCP socket that listens on `address`. Nothing: errno says why not.
std::optional<Socket> ListenTcp(const SocketAddress& address, Clock::duration user_timeout) {
  Socket socket(address.storage.ss_family);
  if (socket.get() < 0) return std::nullopt;
  socket.Set(SOL_SOCKET, SO_REUSEADDR, 1);  // what is left of the last server's connections is not in the way
  socket.Set(IPPROTO_TCP, TCP_NODELAY, 1);
  const int64_t timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(user_timeout).count();
  if (timeout_ms > 0) socket.Set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
  if (address.storage.ss_family == AF_INET6) socket.Set(IPPROTO_IPV6, IPV6_V6ONLY, address.IsWildcard() ? 0 : 1);
  if (bind(socket.get(), address.get(), address.size) != 0) return std::nullopt;
  if (listen(socket.get(), SOMAXCONN) != 0) return std::nullopt;
  return socket;
}

// Whether the kernel has IPv6 addresses.
bool HasIpv6() {
  const Socket socket(AF_INET6);
  if (socket.get() < 0) return false;
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback)) == 0;
}

// At least one.
absl::StatusOr<std::vector<SocketAddress>> Resolve(const ListenAddress& address) {
  std::vector<SocketAddress> result;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  // Sockets of IPv6's "every address" take IPv4, too.
  const std::string host = !address.host.empty() ? address.host : HasIpv6() ? "::" : "0.0.0.0";
  const int error = getaddrinfo(host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(
        "host \"", address.host, "\": ", error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const SocketAddress next = SocketAddress::Of(one->ai_addr, one->ai_addrlen);
    const bool is_known = std::any_of(result.begin(), result.end(),
                                      [&](const SocketAddress& other) { return other.Text() == next.Text(); });
    if (!is_known) result.push_back(next);
  }
  return result;
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Open(const ListenAddress& address, Clock::duration user_timeout) {
  ListeningSockets sockets;
  if (!address.unix_path.empty()) {
    HEED_RETURN_IF_ERROR(sockets.OpenUnix(address.unix_path));
    return sockets;
  }
  HEED_ASSIGN_OR_RETURN(const std::vector<SocketAddress> addresses, Resolve(address));
  for (int tries = kMaxTries;; --tries) {
    const absl::Status status = sockets.OpenTcp(address, addresses, user_timeout);
    if (status.ok()) return sockets;
    if (address.port != 0 || tries == 1) return status;
  }
}

ListeningSockets::~ListeningSockets() {
  for (const int descriptor : descriptors_) close(descriptor);
  if (!unix_path_.empty() && InodeOfSocketFile(unix_path_) == unix_inode_) unlink(unix_path_.c_str());
}

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : descriptors_(std::exchange(other.descriptors_, {})),
      address_(std::move(other.address_)),
      port_(other.port_),
      unix_path_(std::exchange(other.unix_path_, "")),
      unix_inode_(other.unix_inode_) {}

absl::Status ListeningSockets::OpenUnix(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  const SocketAddress address = SocketAddress::Of(reinterpret_cast<const sockaddr*>(&name), sizeof(name));
  Socket socket(AF_UNIX);
  if (socket.get() < 0) return Failed(errno);
  if (InodeOfSocketFile(path)) {
    if (IsAnswered(address)) return absl::UnavailableError("another server listens on this socket");
    unlink(path.c_str());  // left behind by a server that was killed
  }
  if (bind(socket.get(), address.get(), address.size) != 0) {
    if (errno != EADDRINUSE) return Failed(errno);
    return absl::UnavailableError("the file exists and is no socket");
  }
  if (listen(socket.get(), SOMAXCONN) != 0) return Failed(errno);
  unix_path_ = path;
  unix_inode_ = InodeOfSocketFile(path).value_or(0);
  address_ = address.Text();
  descriptors_.push_back(socket.Release());
  return absl::OkStatus();
}

absl::Status ListeningSockets::OpenTcp(const ListenAddress& address, std::vector<SocketAddress> resolved,
                                       Clock::duration user_timeout) {
  std::vector<Socket> sockets;
  SocketAddress first;
  int error = 0;
  for (SocketAddress& one : resolved) {
    if (!sockets.empty()) one.set_port(first.port());
    std::optional<Socket> socket = ListenTcp(one, user_timeout);
    if (!socket) {
      error = errno;
      // This machine may lack one of a name's addresses. A port that another server has would split the clients.
      if (error == EADDRINUSE) return Failed(error);
      continue;
    }
    if (sockets.empty()) first = SocketAddress::OfSocket(socket->get());
    sockets.push_back(*std::move(socket));
  }
  if (sockets.empty()) return Failed(error);
  port_ = first.port();
  const bool is_name = !address.host.empty() && !absl::StrContains(address.host, ':');
  address_ = is_name ? absl::StrCat(address.host, ":", port_) : first.Text();
  for (Socket& socket : sockets) descriptors_.push_back(socket.Release());
  return absl::OkStatus();
}

}  // namespace heed
