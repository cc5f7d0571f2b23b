// SPDX-License-Identifier: Apache-2.0
#include "server/network/listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr std::chrono::milliseconds kTick(1000);
constexpr std::chrono::milliseconds kRetry(100);
constexpr int kMaxAtOnce = 64;

// What accept(2) says of a connection that broke before it was accepted, or of a signal: the next one may be fine.
bool ConcernsOneConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:  // a firewall's rule
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

int ToPollTimeout(Clock::duration duration) {
  const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(duration);
  return static_cast<int>(std::max<int64_t>(0, rounded_up.count()));
}

}  // namespace

Listener::Listener(ListeningSockets sockets, Callbacks callbacks)
    : sockets_(std::move(sockets)), callbacks_(std::move(callbacks)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Listener::~Listener() {
  Stop();
  close(wake_);
}

void Listener::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Listener::Stop() {
  if (thread_.joinable()) {
    eventfd_write(wake_, 1);
    thread_.join();
  }
  sockets_.reset();
}

void Listener::Run() {
  std::vector<pollfd> polled = {{wake_, POLLIN, 0}};
  for (const int descriptor : sockets_->descriptors()) polled.push_back({descriptor, POLLIN, 0});
  TimePoint tick = Clock::now() + kTick;
  absl::Status status;
  while (true) {
    // A socket whose connections cannot be taken stays readable: then only the wake-up is waited for.
    const TimePoint until = status.ok() ? tick : std::min(tick, Clock::now() + kRetry);
    poll(polled.data(), status.ok() ? polled.size() : 1, ToPollTimeout(until - Clock::now()));
    if (polled[0].revents != 0) return;
    // Also where nothing waits: accept says so only if there is a descriptor to be had.
    absl::Status now_status;
    for (const int descriptor : sockets_->descriptors()) now_status.Update(AcceptFrom(descriptor));
    if (now_status != status) callbacks_.accepting(now_status);
    status = std::move(now_status);
    const TimePoint now = Clock::now();
    if (now >= tick) {
      callbacks_.tick(now);
      tick = now + kTick;
    }
  }
}

absl::Status Listener::AcceptFrom(int listening) {
  for (int i = 0; i < kMaxAtOnce; ++i) {
    SocketAddress peer;
    peer.size = sizeof(peer.storage);
    const int connection = accept4(listening, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= 0) {
      callbacks_.take(listening, connection, peer);
    } else if (errno == EAGAIN) {
      return absl::OkStatus();
    } else if (!ConcernsOneConnection(errno)) {
      return absl::ResourceExhaustedError(absl::StrCat("connections cannot be accepted: ", std::strerror(errno)));
    }
  }
  return absl::OkStatus();
}

}  // namespace heed
