// SPDX-License-Identifier: Apache-2.0
// heed.v1.LanguageModelingService.ReadTextStream: texts of any length, read part by part.
#pragma once

#include "grpcpp/support/server_callback.h"
#include "heed/v1/language_modeling.pb.h"
#include "server/rpc/call_table.h"
#include "server/rpc/checked_messages.h"
#include "server/session_calls/session_parts.h"

namespace heed {

// The streams under way. Each takes a message only when all whole parts of those before it are read and answered: what
// the client sends meanwhile waits in gRPC's flow control, and a client that does not read its answers holds no lease,
// no job and no more than one message and one part (server/language/line_buffer.h).
//
// With a session each part is one change of it, made as ReadText makes it, which expects the version that the part
// before it left. So a stream that breaks, for whatever reason, leaves the session at the last part that was answered
// or the one behind it, and a session that somebody else changes meanwhile ends the stream with ABORTED. Without a
// session the memory is the stream's own.
//
// Thread-safe. Outlives the calls it answers.
class TextReadStreams {
 public:
  // `parts` outlives it.
  explicit TextReadStreams(const SessionParts& parts);
  ~TextReadStreams();

  grpc::ServerBidiReactor<Received<v1::ReadTextStreamRequest>, v1::ReadTextStreamResponse>* Begin(
      grpc::CallbackServerContext& context);

  // After Scheduler::Refuse: each stream, those to come included, ends with UNAVAILABLE as soon as the part that it is
  // reading is answered.
  void Refuse();

 private:
  class Stream;

  const SessionParts& parts_;
  CallTable<Stream> streams_;
};

}  // namespace heed
