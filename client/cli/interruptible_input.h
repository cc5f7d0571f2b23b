// SPDX-License-Identifier: Apache-2.0
// Reading a file, a pipe or a terminal that an interrupt can end.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <streambuf>

namespace heed::client {

// A stream buffer over a file descriptor, which it borrows. A stop request ends a read that waits and every later one,
// as if the file ended. A read that fails throws std::system_error, which an istream turns into bad(). One thread.
class InterruptibleInput : public std::streambuf {
 public:
  InterruptibleInput(int descriptor, std::stop_token stop);
  ~InterruptibleInput() override;

  InterruptibleInput(const InterruptibleInput&) = delete;
  InterruptibleInput& operator=(const InterruptibleInput&) = delete;

  // Bytes of a regular file, -1 of anything else.
  int64_t size() const;

 protected:
  int_type underflow() override;

 private:
  void Wake();

  const int descriptor_;
  const int wake_;  // becomes readable with the stop request
  std::array<char, 1 << 16> buffer_;
  struct WakeUp {
    InterruptibleInput* input;
    void operator()() const { input->Wake(); }
  };
  std::optional<std::stop_callback<WakeUp>> on_stop_;
};

}  // namespace heed::client
