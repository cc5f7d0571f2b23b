// SPDX-License-Identifier: Apache-2.0
// What one request does with its session's model: the part of an exchange (server/session_calls/session_exchange.h)
// that differs from kind to kind and from method to method.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "models/kinds/stateful_model.h"
#include "server/session_calls/session_parts.h"
#include "server/telemetry/metrics.h"

namespace heed {

// One request's. Its functions are called by one thread at a time, in the order in which they stand here.
class SessionWork {
 public:
  using Tasks = std::vector<std::unique_ptr<Task>>;

  virtual ~SessionWork() = default;

  // Of the sessions that it works with.
  virtual ModelKind kind() const = 0;
  // Whether the session goes on from it. Constant.
  virtual bool changes() const = 0;
  // Size of what Start converts: a large request is started on another thread (server/scheduling/preparation.h).
  virtual int64_t bytes() const = 0;

  // Once. The tasks, at least one, which go on from the session's state; the model, of kind(), has the session's
  // weights. Limits of sessions are checked here, as far as they can be before the work.
  virtual absl::StatusOr<Tasks> Start(const StatefulModel& model, const Session& session,
                                      const StartLimits& limits) = 0;
  // A task has finished without an error. Calls for different tasks may come at the same time.
  virtual void OnTaskDone(const Task&, std::string_view, Metrics&) {}

  // All tasks have finished without an error. The state that the session goes on from, of one that changes; it is
  // checked against the limits of sessions.
  virtual absl::StatusOr<std::shared_ptr<const State>> NextState() { return nullptr; }
  // Fills the response, but for the session.
  virtual void Respond() = 0;
  // Sets the response's session.
  virtual void SetSession(const SessionParts& parts, const Session& session) = 0;
  // The response is the record of a request of the same name.
  virtual void SetRepeated() {}
  virtual google::protobuf::Message& response() = 0;
};

}  // namespace heed
