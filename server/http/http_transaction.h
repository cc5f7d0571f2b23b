// SPDX-License-Identifier: Apache-2.0
// The state of one request on its connection: between the library's thread, which reads and writes, and whoever
// answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/http/byte_budget.h"
#include "server/http/http_exchange.h"

namespace heed {

// The library's thread asks Next and Read what to do; while there is nothing, the connection is suspended, and takes no
// thread. Everybody else tells what has happened. Thread-safe.
class HttpTransaction : public std::enable_shared_from_this<HttpTransaction> {
 public:
  // The connection, as far as a transaction moves it. Each is called with the transaction's lock held, and only until
  // Close.
  struct Connection {
    std::function<void()> suspend;  // on the library's thread
    std::function<void()> resume;   // on any thread, once for each suspend
    std::function<void()> cut;      // on any thread: closes it, whatever is on its way
  };

  // `max_waiting_bytes`: of the pieces of a stream that wait.
  HttpTransaction(Connection connection, std::shared_ptr<ByteBudget> budget, int64_t max_waiting_bytes)
      : connection_(std::move(connection)), max_waiting_bytes_(max_waiting_bytes), answer_share_(std::move(budget)) {}

  // Whoever answers (HttpExchange).
  void Answer(HttpAnswer answer) EXCLUDES(mutex_);
  void BeginStream(HttpAnswer head) EXCLUDES(mutex_);
  bool Send(std::string piece, std::function<void()> taken) EXCLUDES(mutex_);
  void End() EXCLUDES(mutex_);
  void Abort() EXCLUDES(mutex_);
  void OnGone(std::function<void()> gone) EXCLUDES(mutex_);
  bool gone() const EXCLUDES(mutex_);
  // Nobody will answer any more.
  void LetGo() EXCLUDES(mutex_);

  // The library's thread.
  enum class Step { kWait, kAnswer, kClose };
  // What is to be done with the request: to answer it, by TakeHead and Read; nothing, since it was suspended until
  // somebody has something; or to close its connection, since its client is gone.
  Step Next() EXCLUDES(mutex_);
  // After kAnswer, once. `body` of a whole answer is left in place for Read.
  struct Head {
    HttpAnswer answer;             // without its body
    std::optional<uint64_t> size;  // of the whole answer's body; nothing: a stream
  };
  Head TakeHead() EXCLUDES(mutex_);
  // Fills `buffer` with what comes next of the body.
  static constexpr int64_t kWait = 0;     // suspended
  static constexpr int64_t kEnd = -1;     // that was all
  static constexpr int64_t kBroken = -2;  // there will be no more, and it is not whole
  int64_t Read(char* buffer, size_t size) EXCLUDES(mutex_);
  // The last: the library has done with the request. `whole`: the client has the whole answer. No callback is called
  // afterwards, but that of OnGone before this returns.
  void Close(bool whole) EXCLUDES(mutex_);

  // The server's other threads.
  // The client has closed its side of the connection.
  void ClientLeft() EXCLUDES(mutex_);
  // Sends a comment if it is a stream of events that has been silent for `silence`.
  void KeepAlive(TimePoint now, Clock::duration silence) EXCLUDES(mutex_);

 private:
  struct Piece {
    std::string bytes;
    size_t taken_bytes = 0;
    std::function<void()> taken;
  };

  void ResumeIfSuspended() REQUIRES(mutex_);
  bool CanSend() const REQUIRES(mutex_) { return begun_ && !ended_ && !aborted_ && !gone_ && !closed_; }

  const Connection connection_;
  const int64_t max_waiting_bytes_;

  mutable Mutex mutex_;
  ByteShare answer_share_ GUARDED_BY(mutex_);
  HttpAnswer head_ GUARDED_BY(mutex_);
  std::deque<Piece> pieces_ GUARDED_BY(mutex_);
  int64_t waiting_bytes_ GUARDED_BY(mutex_) = 0;
  TimePoint last_sent_ GUARDED_BY(mutex_);
  std::function<void()> on_gone_ GUARDED_BY(mutex_);
  bool begun_ GUARDED_BY(mutex_) = false;  // there is a head
  bool stream_ GUARDED_BY(mutex_) = false;
  bool events_ GUARDED_BY(mutex_) = false;  // of server-sent events
  bool ended_ GUARDED_BY(mutex_) = false;   // no more pieces follow
  bool aborted_ GUARDED_BY(mutex_) = false;
  bool gone_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
  bool suspended_ GUARDED_BY(mutex_) = false;
};

}  // namespace heed
