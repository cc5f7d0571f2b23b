// SPDX-License-Identifier: Apache-2.0
// Notices when clients close their side of a connection, whoever else reads from it: the HTTP library does not look at
// connections whose requests are being served.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

namespace heed {

// One thread. Thread-safe.
class ClientWatch {
 public:
  // `left` is called once for each connection whose client has closed its side, on the watch's thread.
  explicit ClientWatch(std::function<void(uint64_t id)> left);
  // Stops. No call is made afterwards.
  ~ClientWatch();
  ClientWatch(const ClientWatch&) = delete;
  ClientWatch& operator=(const ClientWatch&) = delete;

  // Until the descriptor is closed. `id`: what `left` is told; not 0.
  void Watch(int descriptor, uint64_t id);

 private:
  void Run();

  const std::function<void(uint64_t id)> left_;
  const int epoll_;
  const int wake_;
  std::thread thread_;
};

}  // namespace heed
