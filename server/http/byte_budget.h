// SPDX-License-Identifier: Apache-2.0
// How many bytes many requests may hold together.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace heed {

// Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // False: they are not to be had, and nothing was taken.
  bool Take(int64_t bytes) {
    if (taken_.fetch_add(bytes) + bytes <= max_bytes_) return true;
    taken_ -= bytes;
    return false;
  }
  // For what exists already.
  void Force(int64_t bytes) { taken_ += bytes; }
  void GiveBack(int64_t bytes) { taken_ -= bytes; }
  int64_t taken() const { return taken_; }

 private:
  const int64_t max_bytes_;
  std::atomic<int64_t> taken_ = 0;
};

// A part of a budget, given back at the end. Not thread-safe.
class ByteShare {
 public:
  explicit ByteShare(std::shared_ptr<ByteBudget> budget) : budget_(std::move(budget)) {}
  ~ByteShare() { budget_->GiveBack(bytes_); }
  ByteShare(const ByteShare&) = delete;
  ByteShare& operator=(const ByteShare&) = delete;

  // Holds `bytes` from now on, instead of what it held. False: they are not to be had.
  bool Resize(int64_t bytes) {
    if (bytes > bytes_ && !budget_->Take(bytes - bytes_)) return false;
    if (bytes < bytes_) budget_->GiveBack(bytes_ - bytes);
    bytes_ = bytes;
    return true;
  }
  // The same for what exists already.
  void Force(int64_t bytes) {
    budget_->Force(bytes - bytes_);
    bytes_ = bytes;
  }

 private:
  const std::shared_ptr<ByteBudget> budget_;
  int64_t bytes_ = 0;
};

}  // namespace heed
