// SPDX-License-Identifier: Apache-2.0
// Ends a call whose client does not take what it is sent.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/mutex.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server_context.h"

namespace heed {

// The status of a reader that lags comes behind what it has not taken yet. One that goes on reading gets it; one that
// does not is not waited for. Thread-safe.
class CutOff {
 public:
  explicit CutOff(grpc::CallbackServerContext& context) : connection_(std::make_shared<Connection>(&context)) {}

  // Cancels the call after `wait`, unless it is over. Once: later calls change nothing.
  void After(Clock::duration wait);
  // The call is over: its context is not touched any more.
  void Disarm();

 private:
  // What the alarm may still find when the call is gone.
  struct Connection {
    explicit Connection(grpc::CallbackServerContext* of) : context(of) {}

    Mutex mutex;
    grpc::CallbackServerContext* context GUARDED_BY(mutex);  // null: the call is over
    bool armed GUARDED_BY(mutex) = false;
  };

  const std::shared_ptr<Connection> connection_;
  grpc::Alarm alarm_;
};

}  // namespace heed
