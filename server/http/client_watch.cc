// SPDX-License-Identifier: Apache-2.0
#include "server/http/client_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace heed {

ClientWatch::ClientWatch(std::function<void(uint64_t id)> left)
    : left_(std::move(left)), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  thread_ = std::thread([this] { Run(); });
}

ClientWatch::~ClientWatch() {
  eventfd_write(wake_, 1);
  thread_.join();
  close(epoll_);
  close(wake_);
}

void ClientWatch::Watch(int descriptor, uint64_t id) {
  epoll_event event{};
  event.events = EPOLLRDHUP | EPOLLET;  // once, and not for what the client sends
  event.data.u64 = id;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
}

void ClientWatch::Run() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.u64 == 0) return;
      if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) left_(event.data.u64);
    }
  }
}

}  // namespace heed
