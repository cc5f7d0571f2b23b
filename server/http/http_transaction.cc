// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_transaction.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/match.h"

namespace heed {

void HttpTransaction::ResumeIfSuspended() {
  if (std::exchange(suspended_, false)) connection_.resume();
}

void HttpTransaction::Answer(HttpAnswer answer) {
  MutexLock lock(mutex_);
  if (begun_ || closed_) return;
  begun_ = ended_ = true;
  head_ = std::move(answer);
  waiting_bytes_ = static_cast<int64_t>(head_.body.size());
  answer_share_.Force(waiting_bytes_);
  pieces_.push_back({std::exchange(head_.body, {})});
  ResumeIfSuspended();
}

void HttpTransaction::BeginStream(HttpAnswer head) {
  MutexLock lock(mutex_);
  if (begun_ || closed_) return;
  begun_ = stream_ = true;
  events_ = absl::StartsWith(head.content_type, "text/event-stream");
  head_ = std::move(head);
  last_sent_ = Clock::now();
  if (!head_.body.empty()) {
    waiting_bytes_ = static_cast<int64_t>(head_.body.size());
    answer_share_.Force(waiting_bytes_);
    pieces_.push_back({std::exchange(head_.body, {})});
  }
  ResumeIfSuspended();
}

bool HttpTransaction::Send(std::string piece, std::function<void()> taken) {
  MutexLock lock(mutex_);
  if (!CanSend()) return false;
  const auto bytes = static_cast<int64_t>(piece.size());
  // A single piece may be as large as it likes.
  if (waiting_bytes_ > 0 && waiting_bytes_ + bytes > max_waiting_bytes_) {
    aborted_ = true;
    connection_.cut();
    ResumeIfSuspended();
    return false;
  }
  waiting_bytes_ += bytes;
  answer_share_.Force(waiting_bytes_);
  last_sent_ = Clock::now();
  pieces_.push_back({std::move(piece), 0, std::move(taken)});
  ResumeIfSuspended();
  return true;
}

void HttpTransaction::End() {
  MutexLock lock(mutex_);
  if (!begun_ || closed_) return;
  ended_ = true;
  ResumeIfSuspended();
}

void HttpTransaction::Abort() {
  MutexLock lock(mutex_);
  if (ended_ || closed_) return;
  aborted_ = true;
  ResumeIfSuspended();
}

void HttpTransaction::OnGone(std::function<void()> gone) {
  {
    MutexLock lock(mutex_);
    if (!gone_) {
      if (!closed_) on_gone_ = std::move(gone);
      return;
    }
  }
  gone();
}

bool HttpTransaction::gone() const {
  MutexLock lock(mutex_);
  return gone_;
}

void HttpTransaction::LetGo() {
  {
    MutexLock lock(mutex_);
    if (ended_ || aborted_ || closed_) return;
  }
  Answer(JsonError(500, "internal", "the request was given up by the server"));
  Abort();  // a stream
}

HttpTransaction::Step HttpTransaction::Next() {
  MutexLock lock(mutex_);
  if (gone_ || (aborted_ && !begun_)) return Step::kClose;
  if (begun_) return Step::kAnswer;
  suspended_ = true;
  connection_.suspend();
  return Step::kWait;
}

HttpTransaction::Head HttpTransaction::TakeHead() {
  MutexLock lock(mutex_);
  Head head{std::move(head_), std::nullopt};
  if (!stream_) head.size = static_cast<uint64_t>(waiting_bytes_);
  return head;
}

int64_t HttpTransaction::Read(char* buffer, size_t size) {
  std::vector<std::function<void()>> taken;
  int64_t read = 0;
  {
    MutexLock lock(mutex_);
    if (aborted_ || (gone_ && !ended_)) return kBroken;
    while (!pieces_.empty() && static_cast<size_t>(read) < size) {
      Piece& piece = pieces_.front();
      const size_t part = std::min(size - static_cast<size_t>(read), piece.bytes.size() - piece.taken_bytes);
      std::memcpy(buffer + read, piece.bytes.data() + piece.taken_bytes, part);
      piece.taken_bytes += part;
      read += static_cast<int64_t>(part);
      if (piece.taken_bytes < piece.bytes.size()) break;
      if (piece.taken) taken.push_back(std::move(piece.taken));
      pieces_.pop_front();
    }
    waiting_bytes_ -= read;
    answer_share_.Force(waiting_bytes_);
    if (read == 0) {
      if (ended_) return kEnd;
      suspended_ = true;
      connection_.suspend();
    }
  }
  for (const std::function<void()>& call : taken) call();
  return read;
}

void HttpTransaction::Close(bool whole) {
  std::function<void()> gone;
  std::deque<Piece> pieces;  // destroyed without the lock
  {
    MutexLock lock(mutex_);
    closed_ = true;
    suspended_ = false;
    pieces.swap(pieces_);
    waiting_bytes_ = 0;
    answer_share_.Force(0);
    gone = std::exchange(on_gone_, nullptr);
    if (!whole) gone_ = true;
  }
  if (!whole && gone) gone();
}

void HttpTransaction::ClientLeft() {
  std::function<void()> gone;
  {
    MutexLock lock(mutex_);
    if (gone_ || closed_ || ended_) return;  // a whole answer may still be read
    gone_ = true;
    gone = std::exchange(on_gone_, nullptr);
    ResumeIfSuspended();
  }
  if (gone) gone();
}

void HttpTransaction::KeepAlive(TimePoint now, Clock::duration silence) {
  MutexLock lock(mutex_);
  if (!events_ || !CanSend() || !pieces_.empty() || now - last_sent_ < silence) return;
  last_sent_ = now;
  pieces_.push_back({":\n\n"});
  waiting_bytes_ += 3;
  answer_share_.Force(waiting_bytes_);
  ResumeIfSuspended();
}

}  // namespace heed
