// SPDX-License-Identifier: Apache-2.0
// An address at which nobody listens.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace heed {

// A port of this machine that is taken and refuses connections: while it lives, no other program gets the port.
class UnservedAddress {
 public:
  UnservedAddress() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    text_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~UnservedAddress() { close(socket_); }
  UnservedAddress(const UnservedAddress&) = delete;
  UnservedAddress& operator=(const UnservedAddress&) = delete;

  // "127.0.0.1:PORT".
  const std::string& text() const { return text_; }

 private:
  const int socket_;
  std::string text_;
};

}  // namespace heed
