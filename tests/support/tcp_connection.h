// SPDX-License-Identifier: Apache-2.0
// A connection whose bytes are the test's own.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace heed {

// A connection to a port of this machine.
class TcpConnection {
 public:
  explicit TcpConnection(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~TcpConnection() { close(socket_); }
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  // False: the other side has closed.
  bool Write(const std::string& bytes) { return send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0; }
  // All that comes until the other side closes.
  std::string Read() {
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = read(socket_, buffer, sizeof(buffer))) > 0;) answer.append(buffer, static_cast<size_t>(n));
    return answer;
  }

 private:
  const int socket_;
};

}  // namespace heed
