// SPDX-License-Identifier: Apache-2.0
// An exchange without a connection: what a handler answers is kept for the test.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "server/http/http_exchange.h"

namespace heed {

// Thread-safe. The client takes each piece of a stream at once.
class FakeHttpExchange final : public HttpExchange {
 public:
  explicit FakeHttpExchange(HttpRequest request) : HttpExchange(std::move(request)) {}

  std::string TakeBody() override { return std::exchange(request_.body, {}); }
  void Answer(HttpAnswer answer) override {
    MutexLock lock(mutex_);
    if (answer_) return;
    answer_ = std::move(answer);
    whole_ = true;
    changed_.NotifyAll();
  }
  void BeginStream(HttpAnswer head) override {
    MutexLock lock(mutex_);
    if (!answer_) answer_ = std::move(head);
    changed_.NotifyAll();
  }
  bool Send(std::string piece, std::function<void()> taken) override {
    {
      MutexLock lock(mutex_);
      if (gone_) return false;
      answer_->body += piece;
      changed_.NotifyAll();
    }
    if (taken) taken();
    return true;
  }
  void End() override {
    MutexLock lock(mutex_);
    whole_ = true;
    changed_.NotifyAll();
  }
  void Abort() override {
    MutexLock lock(mutex_);
    aborted_ = true;
    whole_ = true;
    changed_.NotifyAll();
  }
  void OnGone(std::function<void()> gone) override {
    {
      MutexLock lock(mutex_);
      if (!gone_) {
        on_gone_ = std::move(gone);
        return;
      }
    }
    gone();
  }
  bool gone() const override {
    MutexLock lock(mutex_);
    return gone_;
  }

  // The client closes its connection.
  void Leave() {
    std::function<void()> gone;
    {
      MutexLock lock(mutex_);
      gone_ = true;
      gone = std::exchange(on_gone_, nullptr);
    }
    if (gone) gone();
  }
  // Waits for the whole answer; of a stream the body is all its pieces.
  HttpAnswer WaitForAnswer() {
    MutexLock lock(mutex_);
    while (!whole_) changed_.Wait(mutex_);
    return *answer_;
  }
  bool aborted() const {
    MutexLock lock(mutex_);
    return aborted_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<HttpAnswer> answer_ GUARDED_BY(mutex_);
  bool whole_ GUARDED_BY(mutex_) = false;
  bool aborted_ GUARDED_BY(mutex_) = false;
  bool gone_ GUARDED_BY(mutex_) = false;
  std::function<void()> on_gone_ GUARDED_BY(mutex_);
};

}  // namespace heed
