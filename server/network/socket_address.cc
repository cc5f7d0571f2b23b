// SPDX-License-Identifier: Apache-2.0
#include "server/network/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr size_t kNetworkBytes = 8;  // of an IPv6 address

const in6_addr& Ipv6(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
}

// Also that of an IPv6 address that stands for one (::ffff:1.2.3.4).
std::optional<in_addr> Ipv4(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) return reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr;
  if (address.storage.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&Ipv6(address))) return std::nullopt;
  in_addr result;
  std::memcpy(&result, Ipv6(address).s6_addr + 12, sizeof(result));
  return result;
}

// In network byte order. Null: the address has no port.
uint16_t* Port(SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) return &reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port;
  if (address.storage.ss_family == AF_INET6) return &reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port;
  return nullptr;
}

std::string UnixPath(const SocketAddress& address) {
  const auto* path = reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
  const size_t before = offsetof(sockaddr_un, sun_path);
  const size_t bytes = address.size > before ? address.size - before : 0;  // a client's end usually has none
  return std::string(path, strnlen(path, bytes));
}

}  // namespace

SocketAddress SocketAddress::Of(const sockaddr* address, socklen_t size) {
  SocketAddress result;
  result.size = std::min<socklen_t>(size, sizeof(result.storage));
  std::memcpy(&result.storage, address, result.size);
  return result;
}

SocketAddress SocketAddress::OfSocket(int socket) {
  SocketAddress result;
  result.size = sizeof(result.storage);
  if (getsockname(socket, result.get(), &result.size) != 0) return {};
  return result;
}

bool SocketAddress::IsLoopback() const {
  if (const auto ipv4 = Ipv4(*this)) return ntohl(ipv4->s_addr) >> 24 == 127;
  return storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&Ipv6(*this));
}

bool SocketAddress::IsWildcard() const {
  if (const auto ipv4 = Ipv4(*this)) return ipv4->s_addr == INADDR_ANY;
  return storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&Ipv6(*this));
}

int SocketAddress::port() const {
  SocketAddress copy = *this;
  const uint16_t* port = Port(copy);
  return port == nullptr ? 0 : ntohs(*port);
}

void SocketAddress::set_port(int port) {
  if (uint16_t* place = Port(*this)) *place = htons(static_cast<uint16_t>(port));
}

std::string SocketAddress::Text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (const auto ipv4 = Ipv4(*this)) {
    return absl::StrCat(inet_ntop(AF_INET, &*ipv4, text, sizeof(text)), ":", port());
  }
  if (storage.ss_family == AF_INET6) {
    return absl::StrCat("[", inet_ntop(AF_INET6, &Ipv6(*this), text, sizeof(text)), "]:", port());
  }
  return is_unix() ? absl::StrCat("unix:", UnixPath(*this)) : "unknown";
}

std::string SocketAddress::Origin() const {
  if (const auto ipv4 = Ipv4(*this)) return std::string(reinterpret_cast<const char*>(&*ipv4), sizeof(*ipv4));
  if (storage.ss_family == AF_INET6) {
    return std::string(reinterpret_cast<const char*>(Ipv6(*this).s6_addr), kNetworkBytes);
  }
  return "";
}

}  // namespace heed
