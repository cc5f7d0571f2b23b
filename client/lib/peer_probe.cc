// SPDX-License-Identifier: Apache-2.0
#include "client/lib/peer_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace heed::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// False: not within the time.
bool WaitFor(int descriptor, short events, SteadyClock::time_point end) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - SteadyClock::now()).count();
    pollfd wait = {descriptor, events, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::max<int64_t>(0, left)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// A connected socket, or the error number.
std::pair<std::optional<Socket>, int> Open(int family, const sockaddr* address, socklen_t size,
                                           SteadyClock::time_point end) {
  Socket opened(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (opened.descriptor() < 0) return {std::nullopt, errno};
  if (connect(opened.descriptor(), address, size) != 0) {
    if (errno != EINPROGRESS) return {std::nullopt, errno};
    if (!WaitFor(opened.descriptor(), POLLOUT, end)) return {std::nullopt, ETIMEDOUT};
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(opened.descriptor(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return {std::nullopt, error};
  }
  return {std::move(opened), 0};
}

// As above; the error number 0 without a socket: the address is not tried.
std::pair<std::optional<Socket>, int> Open(const std::string& address, SteadyClock::time_point end) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    absl::ConsumePrefix(&path, "//");
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(name.sun_path)) return {std::nullopt, 0};
    std::memcpy(name.sun_path, path.data(), path.size());
    return Open(AF_UNIX, reinterpret_cast<const sockaddr*>(&name), sizeof(name), end);
  }
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || absl::StrContains(address, ',') || absl::StrContains(address, '/')) {
    return {std::nullopt, 0};
  }
  std::string host = address.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) host = host.substr(1, host.size() - 2);
  addrinfo wanted = {};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &wanted, &found) != 0) return {std::nullopt, 0};
  std::pair<std::optional<Socket>, int> result = {std::nullopt, 0};
  for (const addrinfo* one = found; one != nullptr && !result.first; one = one->ai_next) {
    auto opened = Open(one->ai_family, one->ai_addr, one->ai_addrlen, end);
    if (opened.first) result.first.emplace(*std::move(opened.first));
    result.second = opened.second;
  }
  freeaddrinfo(found);
  return result;
}

// A record with a TLS 1.2 ClientHello that a server with any usual certificate answers: gRPC's closes the connection
// without a word where it finds no suite in common. RFC 5246, 8422 (curves), 7301 (protocols).
constexpr uint8_t kClientHello[] = {
    0x16, 3,   1,    0,    102,                                                              // record
    1,    0,   0,    98,                                                                     // handshake: ClientHello
    3,    3,                                                                                 // version
    'h',  'e', 'e',  'd',  ' ',  'l',  'o', 'o',  'k', 's',  ' ', 'w',  'h', 'o', ' ', 'l',  // random
    'i',  's', 't',  'e',  'n',  's',  ' ', 'h',  'e', 'r',  'e', ' ',  ' ', ' ', ' ', ' ',  //
    0,                                                                                       // no session
    0,    6,   0xc0, 0x2b, 0xc0, 0x2f, 0,   0x9c,                        // suites: AES-128-GCM with ECDHE or RSA
    1,    0,                                                             // no compression
    0,    51,                                                            // extensions
    0,    10,  0,    8,    0,    6,    0,   0x1d, 0,   0x17, 0,   0x18,  // groups: x25519, P-256, P-384
    0,    11,  0,    2,    1,    0,                                      // points: uncompressed
    0,    13,  0,    20,   0,    18,   4,   3,    5,   3,    6,   3,    8,   4,   8,   5,
    8,    6,   4,    1,    5,    1,    6,   1,           // signatures: ECDSA, RSA
    0,    16,  0,    5,    0,    3,    2,   'h',  '2'};  // protocol: HTTP/2
static_assert(sizeof(kClientHello) == 5 + 4 + 98);

}  // namespace

Peer ProbePeer(const std::string& address, std::chrono::milliseconds limit) {
  const SteadyClock::time_point end = SteadyClock::now() + limit;
  const auto [opened, error] = Open(address, end);
  if (!opened) return error == 0 ? Peer::kUnknown : Peer::kNobody;
  const int descriptor = opened->descriptor();
  if (send(descriptor, kClientHello, sizeof(kClientHello), MSG_NOSIGNAL) < 0) return Peer::kOther;
  std::array<uint8_t, 9> answer = {};
  size_t size = 0;
  while (size < answer.size()) {
    if (!WaitFor(descriptor, POLLIN, end)) {
      if (size == 0) return Peer::kSilent;
      break;
    }
    const ssize_t count = recv(descriptor, answer.data() + size, answer.size() - size, 0);
    if (count <= 0) break;
    size += static_cast<size_t>(count);
  }
  // A TLS record: handshake or alert, and its version. A frame of HTTP/2: the server's SETTINGS come first.
  if (size >= 3 && (answer[0] == 0x16 || answer[0] == 0x15) && answer[1] == 3) return Peer::kTls;
  if (size == answer.size() && answer[0] == 0 && answer[3] == 4) return Peer::kHttp2;
  return Peer::kOther;
}

bool MayListen(const std::string& address, std::chrono::milliseconds limit) {
  const auto [opened, error] = Open(address, SteadyClock::now() + limit);
  return opened || (error != ECONNREFUSED && error != ENOENT);
}

}  // namespace heed::client
