// SPDX-License-Identifier: Apache-2.0
// Generate without a session, and GenerateStream. Generate with a session is an exchange
// (server/language/text_session_work.h).
#pragma once

#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"
#include "server/rpc/call.h"
#include "server/rpc/stream_call.h"
#include "server/session_calls/session_parts.h"

namespace heed {

// Deletes itself in OnDone.
class GenerateCall final : public UnaryJobCall<v1::GenerateResponse> {
 public:
  // All outlive it.
  GenerateCall(const SessionParts& parts, grpc::CallbackServerContext& context, const v1::GenerateRequest& request,
               v1::GenerateResponse& response)
      : UnaryJobCall(parts.jobs(), context, response, "heed.v1.LanguageModelingService/Generate"),
        parts_(parts),
        request_(request) {}

  void OnTaskOutput(int, Task& task) override;

 private:
  absl::StatusOr<Tasks> Begin() override;
  void Respond(v1::GenerateResponse& response) override;

  const SessionParts& parts_;
  const v1::GenerateRequest& request_;
  GenerateOptions options_;  // constant after Begin
};

// Deletes itself in OnDone.
class GenerateStreamCall final : public StreamJobCall<v1::GenerateStreamResponse> {
 public:
  // All outlive it.
  GenerateStreamCall(const SessionParts& parts, grpc::CallbackServerContext& context,
                     const v1::GenerateStreamRequest& request, const StreamLimits& limits)
      : StreamJobCall(parts.jobs(), context, "heed.v1.LanguageModelingService/GenerateStream", limits),
        parts_(parts),
        request_(request) {}

  // Once: finds the session, if the request has one, and runs the job.
  void Start();
  void OnTaskOutput(int, Task& task) override;

 private:
  absl::StatusOr<Tasks> Begin() override;

  const SessionParts& parts_;
  const v1::GenerateStreamRequest& request_;
  SessionStore::Found session_;  // null: the request has none
  GenerateOptions options_;      // constant after Begin
};

}  // namespace heed
