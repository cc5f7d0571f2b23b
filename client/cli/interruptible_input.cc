// SPDX-License-Identifier: Apache-2.0
#include "client/cli/interruptible_input.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace heed::client {

InterruptibleInput::InterruptibleInput(int descriptor, std::stop_token stop)
    : descriptor_(descriptor), wake_(eventfd(0, EFD_CLOEXEC)) {
  on_stop_.emplace(std::move(stop), WakeUp{this});
}

InterruptibleInput::~InterruptibleInput() {
  on_stop_.reset();  // waits for a callback under way
  close(wake_);
}

void InterruptibleInput::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

int64_t InterruptibleInput::size() const {
  struct stat information = {};
  if (fstat(descriptor_, &information) != 0 || !S_ISREG(information.st_mode)) return -1;
  return information.st_size;
}

InterruptibleInput::int_type InterruptibleInput::underflow() {
  while (true) {
    std::array<pollfd, 2> waits = {{{descriptor_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return traits_type::eof();
    if (waits[1].revents != 0) return traits_type::eof();
    if (waits[0].revents == 0) continue;
    const ssize_t count = read(descriptor_, buffer_.data(), buffer_.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category(), "read");
    if (count == 0) return traits_type::eof();
    setg(buffer_.data(), buffer_.data(), buffer_.data() + count);
    return traits_type::to_int_type(buffer_[0]);
  }
}

}  // namespace heed::client
