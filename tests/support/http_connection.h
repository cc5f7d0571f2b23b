// SPDX-License-Identifier: Apache-2.0
// A connection to an HTTP server whose bytes are the test's own, and whose answers are read one by one.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace heed {

struct ReceivedAnswer {
  int status = 0;                              // 0: the connection was closed before an answer was whole
  std::map<std::string, std::string> headers;  // by lower-case name
  std::string body;                            // of chunks, if it came in such
};

class HttpConnection {
 public:
  // `receive_bytes`: of the kernel's buffer; 0: as usual.
  explicit HttpConnection(int port, int receive_bytes = 0) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_bytes > 0) setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~HttpConnection() { Close(); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }
  // False: the other side has closed.
  bool Write(const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  // A whole request. `headers`: lines with their ends.
  bool Ask(const std::string& method, const std::string& path, const std::string& headers = "",
           const std::string& body = "") {
    return Write(absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: a\r\n", headers,
                              body.empty() ? "" : absl::StrCat("Content-Length: ", body.size(), "\r\n"), "\r\n", body));
  }
  bool Post(const std::string& path, const std::string& json, const std::string& headers = "") {
    return Ask("POST", path, "Content-Type: application/json\r\n" + headers, json);
  }

  // The next line, without its end; of a connection that was closed the rest.
  std::string ReadLine() {
    size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      if (!Fill()) return std::exchange(buffer_, {});
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
  }
  std::string ReadBytes(size_t count) {
    while (buffer_.size() < count && Fill()) {
    }
    std::string bytes = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return bytes;
  }
  // The answer's status and headers alone.
  ReceivedAnswer ReadHead() {
    ReceivedAnswer answer;
    const std::string first = ReadLine();
    if (first.size() > 12) answer.status = std::atoi(first.c_str() + 9);
    for (std::string line = ReadLine(); !line.empty(); line = ReadLine()) {
      const size_t colon = line.find(": ");
      if (colon == std::string::npos) break;
      answer.headers[absl::AsciiStrToLower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    return answer;
  }
  // One chunk of a body; empty: the last, or the connection was closed.
  std::string ReadChunk() {
    const std::string size = ReadLine();
    std::string chunk = ReadBytes(std::strtoul(size.c_str(), nullptr, 16));
    ReadLine();
    return chunk;
  }
  // `is_head`: of HEAD, which has no body.
  ReceivedAnswer Read(bool is_head = false) {
    ReceivedAnswer answer = ReadHead();
    if (is_head) return answer;
    if (answer.headers.count("transfer-encoding") != 0) {
      for (std::string chunk = ReadChunk(); !chunk.empty(); chunk = ReadChunk()) answer.body += chunk;
    } else {
      const size_t size = std::strtoul(answer.headers["content-length"].c_str(), nullptr, 10);
      answer.body = ReadBytes(size);
      if (answer.body.size() < size) answer.status = 0;
    }
    return answer;
  }
  // Waits until the other side has closed. False: something came instead.
  bool WaitForEnd() { return buffer_.empty() && !Fill(); }

 private:
  bool Fill() {
    char bytes[16384];
    const ssize_t n = read(socket_, bytes, sizeof(bytes));
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  int socket_;
  std::string buffer_;
};

}  // namespace heed
