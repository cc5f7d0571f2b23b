// SPDX-License-Identifier: Apache-2.0
// Calls of this server's own methods, for those who serve them over HTTP: the same queues, limits, deadlines, metrics
// and log lines as for clients of gRPC, over a channel that never leaves the process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "google/protobuf/message.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "server/http/http_exchange.h"
#include "server/rpc/in_process_caller.h"
#include "server/security/authorization.h"

namespace heed {

// Who calls and how, from the headers of an HTTP request.
struct CallContext {
  std::string authorization;  // "Bearer TOKEN"; empty: none was shown
  std::string priority;       // heed-priority; these four are empty where the caller says nothing
  std::string request_id;     // x-request-id
  std::string traceparent;
  std::string tracestate;
  HttpCaller caller;                       // for the request log and traces
  std::optional<Clock::duration> timeout;  // nothing: none
};

// From Authorization, heed-priority, x-request-id, traceparent, tracestate, and grpc-timeout ("100m", "5S") or
// connect-timeout-ms
// ("5000"). INVALID_ARGUMENT: a timeout is neither; a priority is no ASCII text. (Such texts for the log are left out.)
absl::StatusOr<CallContext> ContextOf(const HttpRequest& request);

// Lets a call go, or ends it. Copies are of the same call. Thread-safe.
class CallHandle {
 public:
  CallHandle() = default;
  explicit CallHandle(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  // Ends the call with CANCELLED, unless it has ended; also after that, and more than once.
  void Cancel() const {
    if (cancel_) cancel_();
  }

 private:
  std::function<void()> cancel_;
};

// A call that takes or gives several messages, whichever of both. One Write and one Read at a time. Thread-safe. The
// caller may let it go at any time: the call goes on, and Events are called, until the end has come.
class MethodStream {
 public:
  // Each is called on one of gRPC's threads and must not block. `end` is the last, exactly once.
  struct Events {
    std::function<void(const google::protobuf::Message& message)> message;  // after each Read, unless the end has come
    std::function<void()> written;                                          // the last Write is done: the next may come
    std::function<void(const grpc::Status& status)> end;
  };
  virtual ~MethodStream() = default;
  // Not before the last one was `written`.
  virtual void Write(const google::protobuf::Message& request) = 0;
  // No more messages follow.
  virtual void WritesDone() = 0;
  // Asks for the next message: whoever does not ask slows the method down, as a slow client of gRPC does.
  virtual void Read() = 0;
  virtual void Cancel() = 0;
};

// Thread-safe.
class MethodCalls {
 public:
  // `channel`: Server::InProcessChannel's (MakeArguments), or null: every call ends with UNAVAILABLE. `authorization`
  // outlives it.
  MethodCalls(std::shared_ptr<grpc::Channel> channel, const Authorization& authorization)
      : channel_(std::move(channel)), authorization_(authorization) {}

  // Begins no call any more (UNAVAILABLE), and returns when the last `done` and `end` has. Before what they use goes.
  void Close() const { under_way_->Close(); }

  // Whether `context` may call the method "/heed.v1.TranslationService/Translate": UNAUTHENTICATED, PERMISSION_DENIED,
  // RESOURCE_EXHAUSTED (its holder has sent all requests that it may for now), counted as for gRPC. Takes nothing of
  // the holder's limits. Calls ask by themselves; this is for whoever asks before a body is read.
  absl::Status Check(absl::string_view path, const CallContext& context) const;
  // The same whatever the holder has sent: for answers that do not count.
  absl::Status CheckRight(absl::string_view path, const CallContext& context) const;

  using Done = std::function<void(const grpc::Status& status, std::unique_ptr<google::protobuf::Message> response)>;
  // Calls a method with one request and one response. `done` is called once: before this returns if the caller may not
  // call the method, else on one of gRPC's threads, where it must not block. `response`: an empty one of the method's
  // type, which `done` gets back.
  CallHandle Call(absl::string_view path, const CallContext& context, const google::protobuf::Message& request,
                  std::unique_ptr<google::protobuf::Message> response, Done done) const;
  // The same with the response's own type: Call<v1::TranslateResponse>(path, context, request, [](status, response)
  // ...).
  template <typename Response>
  CallHandle Call(absl::string_view path, const CallContext& context, const google::protobuf::Message& request,
                  std::function<void(const grpc::Status& status, const Response& response)> done) const {
    return Call(path, context, request, std::make_unique<Response>(),
                [done = std::move(done)](const grpc::Status& status, std::unique_ptr<google::protobuf::Message> made) {
                  done(status, static_cast<const Response&>(*made));
                });
  }

  // Begins a call of any method; `response`: an empty message of its type. If the caller may not call it, `end` comes
  // before this returns.
  std::shared_ptr<MethodStream> Stream(absl::string_view path, const CallContext& context,
                                       std::unique_ptr<google::protobuf::Message> response,
                                       MethodStream::Events events) const;

 private:
  // The calls that have not ended.
  class UnderWay {
   public:
    // False: it is closed.
    bool Begin() EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      if (closed_) return false;
      ++calls_;
      return true;
    }
    void End() EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      if (--calls_ == 0) none_.NotifyAll();
    }
    void Close() EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      closed_ = true;
      while (calls_ > 0) none_.Wait(mutex_);
    }

   private:
    Mutex mutex_;
    CondVar none_;
    int64_t calls_ GUARDED_BY(mutex_) = 0;
    bool closed_ GUARDED_BY(mutex_) = false;
  };

  // OK: the call may begin, and is under way.
  absl::Status Begin(absl::string_view path, const CallContext& context) const;

  const std::shared_ptr<UnderWay> under_way_ = std::make_shared<UnderWay>();
  const std::shared_ptr<grpc::Channel> channel_;
  const Authorization& authorization_;
};

}  // namespace heed
