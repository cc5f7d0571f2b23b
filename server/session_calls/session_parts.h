// SPDX-License-Identifier: Apache-2.0
// What the methods of a service with sessions work with.
#pragma once

#include "server/messages/message_check.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"
#include "server/scheduling/scheduler.h"
#include "server/sessions/session_store.h"
#include "server/telemetry/request_log.h"

namespace heed {

// All of it outlives the methods.
struct SessionParts {
  const Registry& registry;
  Scheduler& scheduler;
  SessionStore& store;
  RequestLog& requests;
  Preparation& preparation;
  MessageLimits message_limits;

  JobParts jobs() const { return {requests, scheduler, preparation}; }
  // The number of the model's version that has the session's weights now; 0: none serves.
  int64_t ModelVersionOf(const Session& session) const {
    return registry.VersionOf(session.model_name, session.fingerprint);
  }
};

}  // namespace heed
