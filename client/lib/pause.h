// SPDX-License-Identifier: Apache-2.0
// Waiting that an interrupt ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace heed::client {

// Returns false if the stop was requested before the time came.
inline bool PauseUntil(std::chrono::steady_clock::time_point time, const std::stop_token& stop) {
  std::mutex mutex;  // guards nothing; std::stop_token needs std::condition_variable_any
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_until(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

inline bool Pause(std::chrono::milliseconds time, const std::stop_token& stop) {
  return PauseUntil(std::chrono::steady_clock::now() + time, stop);
}

}  // namespace heed::client
