// SPDX-License-Identifier: Apache-2.0
// A stream's messages on their way to its reader.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace heed {

// Messages in order, of which gRPC writes one at a time. Not thread-safe: belongs to the call, under its lock.
template <typename Message>
class Outbox {
 public:
  // Full from `max_waiting` messages on, until half of them are gone. That is for its owner to act on: Add always adds.
  explicit Outbox(int64_t max_waiting) : max_waiting_(max_waiting) {}

  bool full() const { return full_; }
  bool writing() const { return writing_; }
  bool empty() const { return waiting_.empty(); }

  void Add(Message message) {
    waiting_.push_back(std::move(message));
    Update();
  }
  // The message to write now; null: there is none, or one is being written. It stays in place until Written.
  const Message* Next() {
    if (writing_ || waiting_.empty()) return nullptr;
    writing_ = true;
    return &waiting_.front();
  }
  // Gives the message back that was written.
  Message Written() {
    writing_ = false;
    Message written = std::move(waiting_.front());
    waiting_.pop_front();
    Update();
    return written;
  }
  // Forgets all messages but the one that is being written.
  void Drop() {
    waiting_.resize(writing_ ? 1 : 0);
    Update();
  }

 private:
  void Update() {
    const auto waiting = static_cast<int64_t>(waiting_.size());
    full_ = full_ ? waiting > max_waiting_ / 2 : waiting >= max_waiting_;
  }

  const int64_t max_waiting_;
  std::deque<Message> waiting_;
  bool writing_ = false;  // the front one
  bool full_ = false;
};

}  // namespace heed
